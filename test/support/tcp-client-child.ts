import { connect } from '../../src/client/index.ts';

/** A program that says what a TCP service tells it, through a gateway: `URL`, with the token in `SALLYPORT_TOKEN`. */

const [url = ''] = process.argv.slice(2);
const { readable } = connect(url, { token: process.env.SALLYPORT_TOKEN ?? '' });
for await (const chunk of readable) process.stdout.write(chunk);
