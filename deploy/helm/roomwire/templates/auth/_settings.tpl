{{- /* The auth service's settings, in addition to those of both services, as YAML. */ -}}
{{- define "roomwire.authSettings" -}}
{{- $auth := .Values.auth -}}
PORT: "8001"
OPS_PORT: "9001"
SIGNING_KEY_FILE: /run/secrets/signing-key/signing-key.pem
{{- if $auth.clients.existingSecret }}
CLIENTS_FILE: /run/secrets/clients/clients.toml
{{- end }}
{{- /* Without trusted proxies all clients appear under the address of the ingress, so one client's failed attempts would throttle all others. */ -}}
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
