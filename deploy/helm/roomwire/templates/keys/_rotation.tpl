{{- /* Not empty if keys are rotated. The chart changes only a Secret that it created: another tool would restore the old keys. */ -}}
{{- define "roomwire.rotatesKeys" -}}
{{- with .Values.auth -}}
{{- if and .enabled (not .signingKey.existingSecret) }}{{ .signingKey.rotation.schedule }}{{ end -}}
{{- end -}}
{{- end -}}
