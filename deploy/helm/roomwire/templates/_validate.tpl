{{- /* Combinations that cannot work, each refused with what to do. */ -}}
{{- define "roomwire.validate" -}}
{{- $values := .Values -}}
{{- $scaling := $values.gateway.autoscaling -}}
{{- if and (not $values.redis.enabled) (not $values.redis.existingSecret) -}}
{{- fail "redis.enabled is false: name a Secret with the URLs of another Redis in redis.existingSecret." -}}
{{- end -}}
{{- $another := or $values.tokens.discoveryUrl $values.tokens.jwksUrl -}}
{{- if and (not $values.auth.enabled) (not $another) (ne $values.gateway.authMode "off") -}}
{{- fail "auth.enabled is false: set tokens.discoveryUrl or tokens.jwksUrl to another identity provider's, or gateway.authMode to off." -}}
{{- end -}}
{{- if and $values.auth.enabled $another -}}
{{- fail "tokens.discoveryUrl and tokens.jwksUrl name another identity provider: set auth.enabled to false." -}}
{{- end -}}
{{- if and $values.tokens.discoveryUrl $values.tokens.jwksUrl -}}
{{- fail "tokens.discoveryUrl says where the keys are: leave tokens.jwksUrl empty." -}}
{{- end -}}
{{- if not $values.secrets.create -}}
{{- if and $values.redis.enabled (not $values.redis.existingSecret) -}}
{{- fail "secrets.create is false: name a Secret in redis.existingSecret." -}}
{{- end -}}
{{- if and $values.auth.enabled (not $values.auth.signingKey.existingSecret) -}}
{{- fail "secrets.create is false: name a Secret in auth.signingKey.existingSecret." -}}
{{- end -}}
{{- if and $values.gateway.relay.enabled (not $values.gateway.relay.existingSecret) -}}
{{- fail "secrets.create is false: name a Secret in gateway.relay.existingSecret." -}}
{{- end -}}
{{- end -}}
{{- if and $values.policy.file $values.policy.existingConfigMap -}}
{{- fail "policy.file and policy.existingConfigMap both name a policy: leave one empty." -}}
{{- end -}}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled: name the Gateway that serves it in httpRoute.parentRefs." -}}
{{- end -}}
{{- range $component := list "gateway" "auth" -}}
{{- $service := get $values $component -}}
{{- if or (eq $component "gateway") $service.enabled -}}
{{- if and $values.httpRoute.enabled $service.tls.secretName -}}
{{- fail (printf "httpRoute.enabled: a Gateway speaks TLS to pods only by a BackendTLSPolicy, which this chart does not make: leave %s.tls.secretName empty, or set httpRoute.enabled to false and make an HTTPRoute and a BackendTLSPolicy of your own." $component) -}}
{{- end -}}
{{- with $service.rollout -}}
{{- /* Zero in each of the ways in which Kubernetes takes it. */ -}}
{{- if and (regexMatch "^0+%?$" (toString .maxSurge)) (regexMatch "^0+%?$" (toString .maxUnavailable)) -}}
{{- fail (printf "%s.rollout: with maxSurge and maxUnavailable both 0 no pod is ever replaced: set one of them to 1." $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.redis.enabled $values.redis.external.caSecret -}}
{{- fail "redis.external.caSecret is for another Redis: set redis.enabled to false." -}}
{{- end -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail "gateway.autoscaling: minReplicas is above maxReplicas." -}}
{{- end -}}
{{- if not (or $scaling.connections $scaling.cpuPercent) -}}
{{- fail "gateway.autoscaling: set connections or cpuPercent, there is nothing to scale by." -}}
{{- end -}}
{{- if and $scaling.cpuPercent (not (dig "requests" "cpu" "" $values.gateway.resources)) -}}
{{- fail "gateway.autoscaling.cpuPercent needs gateway.resources.requests.cpu." -}}
{{- end -}}
{{- end -}}
{{- if and (has "*" $values.corsOrigins) (gt (len $values.corsOrigins) 1) -}}
{{- fail "corsOrigins: * stands alone." -}}
{{- end -}}
{{- if and $values.loadTest.enabled (not $values.loadTest.url) (not (and $values.ingress.enabled $values.ingress.host)) -}}
{{- fail "loadTest.enabled: say in loadTest.url where people come in, or set ingress.host." -}}
{{- end -}}
{{- if and $values.loadTest.enabled (not $values.auth.enabled) -}}
{{- fail "loadTest.enabled needs auth.enabled: people log in at it." -}}
{{- end -}}
{{- end -}}
