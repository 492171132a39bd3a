// A small server on the library centrifuge: the tutorial's events in its own JSON protocol.
//
// Joining a room is a subscription, saying something a message without an answer that the server publishes,
// and an echo an RPC. Defaults everywhere; one Go processor (GOMAXPROCS=1) as everyone has one core.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/centrifugal/centrifuge"
)

type chatMessage struct {
	RoomID  string          `json:"roomId"`
	Message json.RawMessage `json:"message"`
}

func main() {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, answer centrifuge.SubscribeCallback) {
			answer(centrifuge.SubscribeReply{}, nil)
		})
		client.OnMessage(func(event centrifuge.MessageEvent) {
			var said chatMessage
			if json.Unmarshal(event.Data, &said) != nil {
				client.Disconnect(centrifuge.DisconnectBadRequest)
				return
			}
			if _, err := node.Publish(said.RoomID, said.Message); err != nil {
				log.Print(err)
			}
		})
		client.OnRPC(func(event centrifuge.RPCEvent, answer centrifuge.RPCCallback) {
			answer(centrifuge.RPCReply{Data: event.Data}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
