// The page of browser.mjs: walks with one of clients.mjs in a browser.
import { clients, walk } from './clients.mjs';

const { name, ...config } = globalThis.config;
walk(clients[name](config), (said) => console.log(JSON.stringify(said))).catch((err) => console.error(`the walk ended: ${err.stack}`));
