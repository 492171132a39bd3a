// Fills templates as Skaffold fills setValueTemplates: by text/template, over a map of texts, with sprig's function default.
// From stdin: {"templates": {NAME: TEMPLATE}, "known": {VARIABLE: TEXT}}; to stdout: {NAME: TEXT}.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
)

func or(instead any, given ...any) any {
	if len(given) == 0 || given[0] == nil || given[0] == "" {
		return instead
	}
	return given[0]
}

func main() {
	var asked struct{ Templates, Known map[string]string }
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	filled := map[string]string{}
	for name, text := range asked.Templates {
		parsed, err := template.New(name).Funcs(template.FuncMap{"default": or}).Parse(text)
		if err != nil {
			log.Fatal(err)
		}
		var made strings.Builder
		if err := parsed.Execute(&made, asked.Known); err != nil {
			log.Fatal(err)
		}
		filled[name] = made.String()
	}
	if err := json.NewEncoder(os.Stdout).Encode(filled); err != nil {
		log.Fatal(err)
	}
}
