// A real OpenID provider on a free port of this machine, for tests. It says where it is in one line, and serves until it
// is killed. Its one client gets access tokens that are JWTs (RFC 9068), by client_credentials.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const AUDIENCE = "https://orders.example";

const key = (name, kid) => {
  const text = readFileSync(new URL(`../../data/keys/${name}.json`, import.meta.url));
  return { ...JSON.parse(text), kid, use: "sig" };
};

const configuration = {
  clients: [
    {
      client_id: "edgate-test",
      client_secret: "edgate-test-secret",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys: [key("rsa-1", "rsa"), key("p256-1", "ec")] },
  scopes: ["openid", "orders:read", "orders:write"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience: AUDIENCE,
        scope: "orders:read orders:write",
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: process.env.ALG ?? "RS256" } },
      }),
    },
  },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  provider.on("server_error", (_, error) => console.error(error));
  server.on("request", provider.callback());
  console.log(`issuer ${issuer}`);
});
