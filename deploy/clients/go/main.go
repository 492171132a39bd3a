// Drives the Go client; see kinds.py.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

type request struct {
	ID      int    `json:"id"`
	Op      string `json:"op"`
	Client  string `json:"client"`
	URL     string `json:"url"`
	Options struct {
		Transports []string       `json:"transports"`
		Auth       map[string]any `json:"auth"`
	} `json:"options"`
	Event string `json:"event"`
	Args  []any  `json:"args"`
}

type line map[string]any

var (
	printing sync.Mutex
	clients  = map[string]*socket.Socket{}
	kinds    = map[string]transports.TransportCtor{"polling": transports.Polling, "websocket": transports.WebSocket}
)

func print(said line) {
	text, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

// packed returns a value in a form that JSON can represent.
func packed(value any) any {
	switch value := value.(type) {
	case []byte:
		return line{"base64": base64.StdEncoding.EncodeToString(value)}
	case io.Reader:
		read, err := io.ReadAll(value)
		if err != nil {
			panic(err)
		}
		return packed(read)
	case []any:
		all := make([]any, 0, len(value))
		for _, one := range value {
			all = append(all, packed(one))
		}
		return all
	case map[string]any:
		all := map[string]any{}
		for key, one := range value {
			all[key] = packed(one)
		}
		return all
	}
	return value
}

// unpacked returns a value in the form that the client sends.
func unpacked(value any) any {
	switch value := value.(type) {
	case []any:
		for place, one := range value {
			value[place] = unpacked(one)
		}
	case map[string]any:
		if text, isText := value["base64"].(string); isText {
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				panic(err)
			}
			return decoded
		}
		for key, one := range value {
			value[key] = unpacked(one)
		}
	}
	return value
}

func open(asked request) {
	options := socket.DefaultOptions()
	wanted := types.NewSet[transports.TransportCtor]()
	for _, name := range asked.Options.Transports {
		wanted.Add(kinds[name])
	}
	options.SetTransports(wanted)
	options.SetForceNew(true)
	// It connects only once its listeners are registered: the handshake may be over before the next line.
	options.SetAutoConnect(false)
	options.SetReconnectionDelay(100)
	options.SetReconnectionDelayMax(500)
	if asked.Options.Auth != nil {
		options.SetAuth(asked.Options.Auth)
	}
	client, err := socket.Connect(asked.URL, options)
	if err != nil {
		print(line{"id": asked.ID, "error": err.Error()})
		return
	}
	happened := func(name string, args ...any) {
		print(line{"client": asked.Client, "happened": name, "args": packed(append([]any{}, args...))})
	}
	tell := func(name types.EventName) {
		client.On(name, func(args ...any) {
			said := make([]any, 0, len(args))
			for _, one := range args {
				said = append(said, fmt.Sprint(one))
			}
			happened(string(name), said...)
		})
	}
	client.On("connect", func(...any) { happened("connect") })
	tell("disconnect")
	tell("connect_error")
	client.OnAny(func(args ...any) {
		if args[0] == "question" {
			args[len(args)-1].(func([]any, error))(args[1:len(args)-1], nil)
		} else {
			happened("event", args...)
		}
	})
	clients[asked.Client] = client
	client.Connect()
	print(line{"id": asked.ID, "ok": nil})
}

func emit(asked request) {
	clients[asked.Client].EmitWithAck(asked.Event, unpacked(asked.Args).([]any)...)(func(args []any, err error) {
		print(line{"id": asked.ID, "ok": packed(args)})
	})
}

func main() {
	reader := bufio.NewReader(os.Stdin)
	for {
		text, err := reader.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked request
		if err := json.Unmarshal(text, &asked); err != nil {
			panic(err)
		}
		switch asked.Op {
		case "open":
			open(asked)
		case "emit":
			emit(asked)
		case "send":
			clients[asked.Client].Emit(asked.Event, unpacked(asked.Args).([]any)...)
			print(line{"id": asked.ID, "ok": nil})
		case "close":
			clients[asked.Client].Disconnect()
			print(line{"id": asked.ID, "ok": nil})
		}
	}
}
