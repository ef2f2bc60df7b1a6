// TypeScript in, the same without its types out: what a project's build does to the published example.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const compilerOptions = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext };
process.stdout.write(ts.transpileModule(readFileSync(0, 'utf8'), { compilerOptions }).outputText);
