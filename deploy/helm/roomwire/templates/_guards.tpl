{{- /* Refuses combinations of values that cannot work, each with a sentence that states the remedy. */ -}}
{{- define "roomwire.validate" -}}
{{- range list "redis" "provider" "secrets" "policy" "httpRoute" "services" "scaling" "origins" "application" "admin" "load" -}}
{{- include (printf "roomwire.validate.%s" .) $.Values -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.redis" -}}
{{- if and (not .redis.enabled) (not .redis.existingSecret) -}}
{{- fail "redis.enabled is false: name a Secret with the URLs of another Redis in redis.existingSecret." -}}
{{- end -}}
{{- if and .redis.enabled .redis.external.caSecret -}}
{{- fail "redis.external.caSecret is for another Redis: set redis.enabled to false." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.provider" -}}
{{- $another := or .tokens.discoveryUrl .tokens.jwksUrl -}}
{{- if not (or .auth.enabled $another (eq .gateway.authMode "off")) -}}
{{- fail "auth.enabled is false: set tokens.discoveryUrl or tokens.jwksUrl to another identity provider's, or gateway.authMode to off." -}}
{{- end -}}
{{- if and .auth.enabled $another -}}
{{- fail "tokens.discoveryUrl and tokens.jwksUrl name another identity provider: set auth.enabled to false." -}}
{{- end -}}
{{- if and .tokens.discoveryUrl .tokens.jwksUrl -}}
{{- fail "tokens.discoveryUrl already leads to the keys: leave tokens.jwksUrl empty." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.secrets" -}}
{{- range include "roomwire.secrets" (dict "Values" .) | fromYamlArray -}}
{{- if and .needed (not .existing) (not $.secrets.create) -}}
{{- fail (printf "secrets.create is false: name a Secret in %s." .value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.admin" -}}
{{- if and .gateway.admin.enabled (not .gateway.admin.existingSecret) -}}
{{- fail "gateway.admin.enabled: name a Secret with the hash of the password in gateway.admin.existingSecret." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.policy" -}}
{{- if and .policy.file .policy.existingConfigMap -}}
{{- fail "policy.file and policy.existingConfigMap both name a policy: leave one empty." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.httpRoute" -}}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled: name the Gateway that serves it in httpRoute.parentRefs." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.services" -}}
{{- range $component := .auth.enabled | ternary (list "gateway" "auth") (list "gateway") -}}
{{- $service := get $ $component -}}
{{- if and $.httpRoute.enabled $service.tls.secretName -}}
{{- fail (printf "httpRoute.enabled: a Gateway speaks TLS to pods only with a BackendTLSPolicy, which this chart does not create: leave %s.tls.secretName empty, or set httpRoute.enabled to false and create an HTTPRoute and a BackendTLSPolicy of your own." $component) -}}
{{- end -}}
{{- /* Zero in each form that Kubernetes accepts. */ -}}
{{- if and (regexMatch "^0+%?$" (toString $service.rollout.maxSurge)) (regexMatch "^0+%?$" (toString $service.rollout.maxUnavailable)) -}}
{{- fail (printf "%s.rollout: with maxSurge and maxUnavailable both 0 no pod is ever replaced: set one of them to 1." $component) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.scaling" -}}
{{- $scaling := .gateway.autoscaling -}}
{{- if $scaling.enabled -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail "gateway.autoscaling: minReplicas is above maxReplicas." -}}
{{- end -}}
{{- if not (or $scaling.connections $scaling.cpuPercent) -}}
{{- fail "gateway.autoscaling: there is nothing to scale by: set connections or cpuPercent." -}}
{{- end -}}
{{- if and $scaling.cpuPercent (not (dig "requests" "cpu" "" .gateway.resources)) -}}
{{- fail "gateway.autoscaling.cpuPercent needs gateway.resources.requests.cpu." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.origins" -}}
{{- if and (has "*" .corsOrigins) (gt (len .corsOrigins) 1) -}}
{{- fail "corsOrigins: * must be the only entry." -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.application" -}}
{{- $bytes := 0 -}}
{{- range $name, $text := .gateway.files -}}
{{- $bytes = add $bytes (len $text) -}}
{{- if regexMatch "^roomwire(_gateway)?\\.py$" $name -}}
{{- fail (printf "gateway.files: %s would hide the package of that name from the gateways: give the file another name." $name) -}}
{{- end -}}
{{- end -}}
{{- /* Helm stores the files twice, as values and as an object, in the Secret of the release, which can hold 1 MiB. */ -}}
{{- if gt $bytes 262144 -}}
{{- fail (printf "gateway.files: the files have %d bytes, but at most 262144 are allowed: put them into an image of your own, gateway.image." $bytes) -}}
{{- end -}}
{{- end -}}

{{- define "roomwire.validate.load" -}}
{{- if .loadTest.enabled -}}
{{- if and .gateway.app (not (hasPrefix "roomwire_gateway." .gateway.app)) -}}
{{- fail (printf "loadTest.enabled: the load test sends the events of the chat, but gateway.app is %s: set loadTest.enabled to false." .gateway.app) -}}
{{- end -}}
{{- if not (or .loadTest.url (and .ingress.enabled .ingress.host)) -}}
{{- fail "loadTest.enabled: set loadTest.url to the URL of the ingress, or set ingress.host." -}}
{{- end -}}
{{- if not .auth.enabled -}}
{{- fail "loadTest.enabled needs auth.enabled: simulated users sign in there." -}}
{{- end -}}
{{- end -}}
{{- end -}}
