import './globals.js';
import { Redis } from 'ioredis';
import pg from 'pg';
import { configure } from 'sallyport/client/net';

const show = (text) => document.querySelector('pre').append(`${text}\n`);

configure({
  url: (host) => `wss://app.example.com/tcp/${host}`,
  token: async () => (await fetch('/token')).text(), // from your login; asked for each connection
});

// TLS to the database is the gateway's: `tls: postgres` beside `tcp`.
const client = new pg.Client({
  host: 'postgres',
  user: 'alice',
  password: prompt('Password'),
  database: 'postgres',
});
client.on('error', ({ message }) => show(message));
await client.connect();
show(JSON.stringify((await client.query('select version()')).rows));
await client.end();

const redis = new Redis({ host: 'redis', port: 6379 });
redis.on('error', ({ message }) => show(message));
show(await redis.set('seen', new Date().toISOString()));
await redis.quit();
