{{- /* Not empty: keys are rotated. A Secret that others made is not changed here: what made it would put the old one back. */ -}}
{{- define "roomwire.rotatesKeys" -}}
{{- with .Values.auth -}}
{{- if and .enabled (not .signingKey.existingSecret) }}{{ .signingKey.rotation.schedule }}{{ end -}}
{{- end -}}
{{- end -}}
