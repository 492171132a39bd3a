// Shows the API's schema. The page's policy allows no inline script, so this is a file of its own.
SwaggerUIBundle({ url: "/auth/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
