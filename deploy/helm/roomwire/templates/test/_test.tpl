{{- /* Files by which the test verifies services that use TLS, as items of a list. */ -}}
{{- define "roomwire.testFiles" -}}
{{- if and .Values.auth.enabled .Values.auth.tls.secretName }}
- {name: auth-ca, secret: {{ toJson .Values.auth.tls.secretName }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- with .Values.gateway.tls.secretName }}
- {name: gateway-ca, secret: {{ toJson . }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- end -}}

{{- /* Annotations of objects that are created before the test and deleted with it. */ -}}
{{- define "roomwire.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: "-1"
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
