// Signs and seals what "Try it out" sends; the demo's page alone loads this file, and has its keys.
//
// A callback gets its Hash-Authorization; the placeholder of a token becomes a fresh token of the
// player. A request of the transfer API gets the time, its operation and a new jti, and becomes an
// envelope; the answer is taken out of its own.
"use strict";

const walletSigning = (() => {
  const { callbackKey, agent, agentKey } = document.getElementById("demo-keys").dataset;
  const TRANSFER = "/transfer/v1/";
  const JOSE = "application/jose";
  const TOKEN = "tok-1"; // the description's placeholder
  const utf8 = new TextEncoder();

  const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
  const encoded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const decoded = (text) => Uint8Array.from(
    atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

  // As PHP writes it: slashes and all that is not ASCII escaped.
  const php = (value) => JSON.stringify(value).replaceAll("/", "\\/")
    .replace(/[\u0080-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

  async function signature(fields) {
    const names = Object.keys(fields).filter((name) => name !== "extraData").sort();
    const text = names.length === 0
      ? "[]" : php(Object.fromEntries(names.map((name) => [name, String(fields[name])])));
    return hex(await crypto.subtle.digest("SHA-256", utf8.encode(text + callbackKey)));
  }

  async function freshToken(url, userId) {
    const asking = new URL(url);
    asking.pathname = asking.pathname.replace(/[^/]+\/?$/, "getUserToken");
    asking.search = new URLSearchParams({ userId });
    const headers = { "Hash-Authorization": await signature({ userId }) };
    const said = await (await fetch(asking, { headers })).json();
    return said.token ?? TOKEN;
  }

  async function withToken(url, fields) {
    return fields.token === TOKEN
      ? { ...fields, token: await freshToken(url, fields.userId) } : fields;
  }

  async function signed(request) {
    const url = new URL(request.url, location);
    if (request.headers["Hash-Authorization"]) return request; // somebody signs by hand
    let fields = {};
    if (request.method === "GET") {
      fields = await withToken(url, Object.fromEntries(url.searchParams));
      url.search = new URLSearchParams(fields);
      request.url = url.href;
    } else if (url.pathname.endsWith("/notification/maintenance")) {
      // Its hash may be over no fields.
    } else if (String(request.headers["Content-Type"]).startsWith("application/json")) {
      // Numbers are signed as they are written.
      const read = (text) => JSON.parse(text, (_, value, context) =>
        typeof value === "number" && context?.source ? context.source : value);
      fields = await withToken(url, read(request.body));
      request.body = request.body.replace(`"${TOKEN}"`, JSON.stringify(fields.token));
    } else {
      fields = await withToken(url, Object.fromEntries(new URLSearchParams(request.body)));
      request.body = new URLSearchParams(fields).toString();
    }
    request.headers["Hash-Authorization"] = await signature(fields);
    return request;
  }

  const key = () => crypto.subtle.importKey("raw", decoded(agentKey), "AES-GCM", false,
    ["encrypt", "decrypt"]);

  async function sealed(request, operation) {
    const asked = { ...JSON.parse(request.body), iat: Math.floor(Date.now() / 1000), op: operation };
    if ("jti" in asked) asked.jti = crypto.randomUUID();
    const header = encoded(utf8.encode(JSON.stringify({ alg: "dir", enc: "A256GCM", kid: agent })));
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const how = { name: "AES-GCM", iv, additionalData: utf8.encode(header) };
    const both = await crypto.subtle.encrypt(how, await key(), utf8.encode(JSON.stringify(asked)));
    const parts = [iv, both.slice(0, -16), both.slice(-16)].map(encoded);
    request.body = `${header}..${parts.join(".")}`;
    request.headers["Content-Type"] = request.headers.Accept = JOSE;
    return request;
  }

  async function opened(response) {
    if (!String(response.headers["content-type"]).startsWith(JOSE)) return response;
    // Swagger UI keeps what is no text that it knows as a blob.
    const envelope = response.text instanceof Blob ? await response.text.text() : response.text;
    const [header, , iv, ...parts] = envelope.split(".");
    const both = new Uint8Array(parts.map(decoded).flatMap((part) => [...part]));
    const how = { name: "AES-GCM", iv: decoded(iv), additionalData: utf8.encode(header) };
    const text = new TextDecoder().decode(await crypto.subtle.decrypt(how, await key(), both));
    response.text = response.data = text;
    response.headers["content-type"] = "application/json";
    response.body = response.obj = JSON.parse(text);
    return response;
  }

  return {
    requestInterceptor: async (request) => {
      if (request.loadSpec) return request;
      // What was typed as JSON comes here as it was read.
      if (request.body && Object.getPrototypeOf(request.body) === Object.prototype) {
        request.body = JSON.stringify(request.body);
      }
      const path = new URL(request.url, location).pathname;
      const at = path.indexOf(TRANSFER);
      return at < 0 ? signed(request) : sealed(request, path.slice(at + TRANSFER.length));
    },
    responseInterceptor: (response) => opened(response),
  };
})();
