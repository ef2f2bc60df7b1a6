// A certified implementation of an OpenID provider, on loopback, with the accounts and the client of a test.
// Arguments: port, and a JSON object: client_id, client_secret, redirect_uri, accounts (claims by login), key (a JWK).
import { Provider } from "oidc-provider";

const [port, text] = process.argv.slice(2);
const wanted = JSON.parse(text);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: wanted.client_id,
      client_secret: wanted.client_secret,
      redirect_uris: [wanted.redirect_uri],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  jwks: { keys: [wanted.key] },
  cookies: { keys: ["of a test"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  pkce: { required: () => true },
  findAccount: (_context, id) =>
    wanted.accounts[id] && { accountId: id, claims: () => ({ sub: id, ...wanted.accounts[id] }) },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
