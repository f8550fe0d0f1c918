"use strict";

SwaggerUIBundle({
  dom_id: "#documentation",
  url: "openapi.json",
  deepLinking: true,
  validatorUrl: null, // by default the page would be sent to a validator on the Internet
});
