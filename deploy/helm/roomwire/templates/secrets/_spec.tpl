{{- /* The spec of the Job that creates secrets; argument: its pod. */ -}}
{{- define "roomwire.secretsSpec" -}}
{{- $labels := include "roomwire.selector" . | fromYaml | toJson -}}
backoffLimit: 3
template:
  metadata: {{- include "roomwire.podMetadata" . | nindent 4 }}
  spec:
    {{- include "roomwire.podSpec" . | nindent 4 }}
    restartPolicy: OnFailure
    containers:
      - name: secrets
        {{- include "roomwire.image" (dict "root" .root "part" (.root.Values.auth.enabled | ternary "auth" "gateway")) | nindent 8 }}
        command: [python, /opt/secrets/make_secrets.py]
        {{- include "roomwire.container" . | nindent 8 }}
        env:
          - {name: SECRET_PREFIX, value: {{ include "roomwire.fullname" .root }}}
          - {name: SECRET_KINDS, value: {{ include "roomwire.missingSecrets" .root | quote }}}
          - {name: SECRET_LABELS, value: {{ quote $labels }}}
          {{- include "roomwire.extra" (list . "extraEnv") | nindent 10 }}
        volumeMounts:
          - {name: script, mountPath: /opt/secrets, readOnly: true}
          {{- include "roomwire.extra" (list . "extraVolumeMounts") | nindent 10 }}
      {{- include "roomwire.extra" (list . "extraContainers") | nindent 6 }}
    volumes:
      - name: script
        configMap: {name: {{ include "roomwire.name" . }}}
      {{- include "roomwire.extra" (list . "extraVolumes") | nindent 6 }}
{{- end -}}
