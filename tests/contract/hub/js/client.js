// One browser-like client, driven from outside: argv[2] is JSON {url, tokens, channel}; each event is
// printed as one line of JSON. Tokens are handed out in order, the last one again and again. It ends
// when its standard input does.
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const { url, tokens, channel } = JSON.parse(process.argv[2]);
const tell = (event, details = {}) => console.log(JSON.stringify({ event, ...details }));

const client = new Centrifuge(url, {
  websocket: WebSocket,
  minReconnectDelay: 500,
  maxReconnectDelay: 1000,
  getToken: async () => {
    tell('token');
    return tokens.length > 1 ? tokens.shift() : tokens[0];
  },
});
client.on('connecting', ({ code }) => tell('connecting', { code }));
client.on('connected', () => tell('connected'));
client.on('disconnected', ({ code, reason }) => tell('disconnected', { code, reason }));

const subscription = client.newSubscription(channel);
subscription.on('subscribed', ({ wasRecovering, recovered }) => tell('subscribed', { wasRecovering, recovered }));
subscription.on('unsubscribed', ({ code }) => tell('unsubscribed', { code }));
subscription.on('publication', ({ data }) => tell('publication', { data }));
subscription.subscribe();
client.connect();

process.stdin.on('end', () => process.exit(0)).resume();
