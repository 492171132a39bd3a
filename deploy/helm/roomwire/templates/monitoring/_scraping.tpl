{{- /* The objects by which Prometheus finds the operations port of a service. Argument: dict "root" $ "component" "gateway" "port" 9000. */ -}}

{{- define "roomwire.opsService" -}}
# The operations port has a Service of its own, so that the Service behind the ingress does not have that port.
apiVersion: v1
kind: Service
metadata:
  {{- include "roomwire.metadata" (merge (dict "name" (printf "%s-ops" (include "roomwire.name" .))) .) | nindent 2 }}
    roomwire.io/port: ops
spec:
  clusterIP: None
  # Each pod has one address here. With two addresses Prometheus would scrape each pod twice and count it twice.
  ipFamilyPolicy: SingleStack
  {{- with .root.Values.service.ipFamilies }}
  ipFamilies: [{{ first . }}]
  {{- end }}
  publishNotReadyAddresses: true
  selector: {{- include "roomwire.selector" . | nindent 4 }}
  ports:
    - {name: ops, port: {{ .port }}, targetPort: ops}
{{- end -}}

{{- define "roomwire.serviceMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "roomwire.metadata" . | nindent 2 }}
    {{- with .root.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "roomwire.selector" . | nindent 6 }}
      roomwire.io/port: ops
  endpoints:
    - {port: ops, path: /metrics, interval: {{ .root.Values.monitoring.serviceMonitor.interval }}}
{{- end -}}
