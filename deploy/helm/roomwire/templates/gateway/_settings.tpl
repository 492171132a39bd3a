{{- /* The gateways' settings, in addition to those of both services, as YAML. */ -}}
{{- define "roomwire.gatewaySettings" -}}
{{- $gateway := .Values.gateway -}}
PORT: "8000"
OPS_PORT: "9000"
{{- with $gateway.app }}
APP: {{ quote . }}
{{- end }}
AUTH_MODE: {{ quote $gateway.authMode }}
DRAIN_S: {{ quote $gateway.drainSeconds }}
TRANSPORTS: {{ join "," $gateway.transports | quote }}
{{ include "roomwire.providerSettings" . }}
{{- if $gateway.relay.enabled }}
RELAY_PORT: "7000"
RELAY_SECRET_FILE: /run/secrets/relay/secret
{{- end }}
{{- if $gateway.api.enabled }}
API_PORT: "8010"
{{- if $gateway.api.existingSecret }}
API_KEYS_FILE: /run/secrets/api/keys
{{- end }}
{{- end }}
{{- with $gateway.admin }}
{{- if .enabled }}
ADMIN_NAME: {{ toJson .name }}
ADMIN_PASSWORD_HASH_FILE: /run/secrets/admin/hash
ADMIN_MODE: {{ quote .mode }}
ADMIN_READ_ONLY: {{ quote .readOnly }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The issuer of the accepted tokens, and the URL of its keys. */ -}}
{{- define "roomwire.providerSettings" -}}
{{- $auth := .Values.auth -}}
{{- $tokens := .Values.tokens -}}
{{- if and (not $auth.enabled) $tokens.discoveryUrl -}}
AUTH_DISCOVERY_URL: {{ toJson $tokens.discoveryUrl }}
{{- else -}}
{{- $ours := printf "%s://%s-auth/auth/.well-known/jwks.json" (include "roomwire.scheme" $auth) (include "roomwire.fullname" .) -}}
AUTH_JWKS_URL: {{ default $ours $tokens.jwksUrl | toJson }}
{{- end }}
{{- if not $auth.enabled }}
AUTH_ALGORITHMS: {{ join "," $tokens.algorithms | quote }}
AUTH_TOKEN_TYPES: {{ join "," $tokens.types | toJson }}
AUTH_CLAIM_USER: {{ toJson $tokens.claims.user }}
AUTH_CLAIM_NAME: {{ toJson $tokens.claims.name }}
AUTH_CLAIM_SESSION: {{ toJson $tokens.claims.session }}
{{- with $tokens.claims.roles }}
AUTH_CLAIM_ROLES: {{ toJson . }}
{{- end }}
{{- else if $auth.tls.secretName }}
AUTH_JWKS_CA_FILE: /run/secrets/auth-ca/ca.crt
{{- end }}
{{- end -}}

{{- /* Files that those settings name, as items of a list. */ -}}
{{- define "roomwire.gatewayFiles" -}}
{{- $auth := .Values.auth -}}
{{- $api := .Values.gateway.api -}}
{{- if .Values.gateway.relay.enabled }}
- name: relay
  secret: {{ include "roomwire.secretName" (dict "root" $ "kind" "relay") | toJson }}
  items: {secret: secret}
{{- end }}
{{- if and $auth.enabled $auth.tls.secretName }}
- name: auth-ca
  secret: {{ toJson $auth.tls.secretName }}
  items: {ca.crt: ca.crt}
{{- end }}
{{- if and $api.enabled $api.existingSecret }}
- name: api
  secret: {{ toJson $api.existingSecret }}
  items: {keys: keys}
{{- end }}
{{- if .Values.gateway.admin.enabled }}
- name: admin
  secret: {{ toJson .Values.gateway.admin.existingSecret }}
  items: {hash: hash}
{{- end }}
{{- end -}}
