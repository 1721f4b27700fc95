import { writeFileSync } from 'node:fs';
import { editorSchema } from '../config/json-schema.ts';

// `npm run schema`: writes config/schema.json anew, after a change of src/config/schema.ts.
writeFileSync(new URL('../../config/schema.json', import.meta.url), editorSchema());
