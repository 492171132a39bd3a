// Shows the API's schema; kept out of the page because its policy allows no inline script.
SwaggerUIBundle({ url: "/auth/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
