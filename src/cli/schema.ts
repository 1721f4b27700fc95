import { writeFileSync } from 'node:fs';
import { editorSchema } from '../config/json-schema.ts';
import { readExamples } from '../config/reference/examples.ts';
import { referencePage } from '../config/reference/page.ts';

// `npm run schema`: writes config/schema.json and config/REFERENCE.md anew, after a change of src/config/ or of an example.
const folder = new URL('../../config/', import.meta.url);
writeFileSync(new URL('schema.json', folder), editorSchema());
writeFileSync(new URL('REFERENCE.md', folder), referencePage(readExamples(folder)));
