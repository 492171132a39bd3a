{{- /* What the auth service is told beside what both services are: settings as YAML. */ -}}
{{- define "roomwire.authSettings" -}}
{{- $auth := .Values.auth -}}
PORT: "8001"
OPS_PORT: "9001"
SIGNING_KEY_FILE: /run/secrets/signing-key/signing-key.pem
{{- if $auth.clients.existingSecret }}
CLIENTS_FILE: /run/secrets/clients/clients.toml
{{- end }}
{{- /* Without proxies to believe, all clients have the ingress' address: one could make all others wait. */ -}}
{{- if not (or .Values.trustedProxies (hasKey $auth.settings "THROTTLE")) }}
THROTTLE: "false"
{{- end }}
{{- end -}}

{{- /* Files that those settings name, as items of a list. */ -}}
{{- define "roomwire.authFiles" -}}
- name: signing-key
  secret: {{ include "roomwire.secretName" (dict "root" $ "kind" "signing-key") | toJson }}
  items: {signing-key.pem: signing-key.pem}
{{- with .Values.auth.clients.existingSecret }}
- name: clients
  secret: {{ toJson . }}
  items: {clients.toml: clients.toml}
{{- end }}
{{- end -}}
