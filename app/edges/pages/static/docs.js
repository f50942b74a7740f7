// Swagger UI on the page /docs; a script in the page itself is forbidden by its policy.
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.description,
  layout: "BaseLayout",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  validatorUrl: null, // Otherwise the page would send the description to swagger.io.
  // In the demo, what is tried out is signed and sealed.
  ...(typeof walletSigning === "undefined" ? {} : walletSigning),
});
