// Bundles a convex/ folder by the project's own esbuild, with the options and the rules for entry
// points of Convex's bundler. Writes one JSON object to stdout.
// Source: npm convex, src/bundler/{index,debugBundle,external,wasm}.ts.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { builtinModules, createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const folder = path.resolve(process.argv[2]);
const scratch = process.argv[3];
const root = projectOf(folder);
const EXTENSIONS = /\.(js|mjs|cjs|ts|tsx|mts|cts|jsx)$/;

class Refused extends Error {}

function projectOf(start) {
  for (let at = path.dirname(start); ; at = path.dirname(at)) {
    if (fs.existsSync(path.join(at, "package.json"))) return at;
    if (at === path.dirname(at)) return path.dirname(start);
  }
}

function* walk(directory) {
  const entries = fs.readdirSync(directory, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      if (!fs.existsSync(path.join(full, "convex.config.ts"))) yield* walk(full);
    } else if (entry.isFile()) yield full;
  }
}

/** The modules of one definition: the app's (its key is empty), or a component's. */
function entryPoints({ key, folder }) {
  const found = [];
  for (const file of walk(folder)) {
    const relative = path.relative(folder, file).split(path.sep).join("/");
    const base = path.basename(file);
    if (relative.startsWith("_deps/"))
      throw new Refused(
        `The path "${file}" is within the "_deps" directory, which is reserved for dependencies. ` +
          "Please move your code to another directory.",
      );
    if (!EXTENSIONS.test(base) || relative.startsWith("_generated/")) continue;
    if (/^[.#]/.test(base) || relative === "schema.ts" || relative === "schema.js") continue;
    if (base.split(".").length > 2 || relative.includes(" ")) continue;
    const source = fs.readFileSync(file, "utf8");
    if (/\.tsx?$/.test(base) && !/^\s{0,100}(import|export)/m.test(source)) continue;
    found.push({ name: relative.replace(/\.[^.]+$/, ""), file, isNode: usesNode(source) });
  }
  for (const name of ["schema", "auth.config", "convex.config"]) {
    const files = [".ts", ".js"].map((end) => path.join(folder, name + end)).filter((f) => fs.existsSync(f));
    if (files.length > 1 && name === "auth.config")
      throw new Refused(`Found both ${files[1]} and ${files[0]}, choose one.`);
    if (files.length) found.push({ name, file: files[0], isNode: usesNode(fs.readFileSync(files[0], "utf8")) });
  }
  for (const { name, file, isNode } of found)
    if (isNode && ["http", "crons", "schema", "auth.config", "convex.config"].includes(name))
      throw new Refused(`${shown(file)}: "use node" directive is not allowed for ${path.basename(file)} file.`);
  return found.map((entry) => ({ ...entry, module: entry.name, name: key + entry.name }));
}

const CONFIG = /(^|\/)convex\.config(\.js|\.ts|\.mjs|\.mts)?$/;

/** The definitions that the app's `convex.config` leads to, the app's own first. */
async function definitions(esbuild) {
  const found = [{ key: "", folder, children: {} }];
  for (const definition of found) {
    const config = [".ts", ".js"].map((end) => path.join(definition.folder, `convex.config${end}`)).find((f) => fs.existsSync(f));
    if (config === undefined) continue;
    await esbuild.build({
      ...COMMON,
      entryPoints: [config],
      format: "esm",
      sourcemap: false,
      outdir: path.join(root, "out"),
      plugins: [
        {
          name: "convex-async-definitions",
          setup(build) {
            build.onResolve({ filter: CONFIG }, async (args) => {
              if (args.kind === "entry-point" || args.pluginData === "resolved") return null;
              const { resolveDir, importer, kind } = args;
              const resolved = await build.resolve(args.path, { resolveDir, importer, kind, pluginData: "resolved" });
              if (resolved.errors.length) return { errors: resolved.errors };
              const at = path.dirname(resolved.path);
              if (!found.some((other) => other.folder === at))
                found.push({ key: `c${found.length}!`, folder: at, config: resolved.path });
              return { path: at, namespace: "convex-async-definition" };
            });
            build.onLoad({ filter: /.*/, namespace: "convex-async-definition" }, () => ({ contents: "export default {};" }));
          },
        },
      ],
    });
  }
  return found;
}

/** While a `convex.config` is evaluated, the definitions that it uses are their places only. */
const definitionPlugin = (all) => ({
  name: "convex-async-definition",
  setup(build) {
    build.onResolve({ filter: CONFIG }, async (args) => {
      if (!CONFIG.test(args.importer.split(path.sep).join("/")) || args.pluginData === "resolved") return null;
      const { resolveDir, importer, kind } = args;
      const resolved = await build.resolve(args.path, { resolveDir, importer, kind, pluginData: "resolved" });
      return { path: resolved.path, namespace: "convex-async-definition" };
    });
    build.onLoad({ filter: /.*/, namespace: "convex-async-definition" }, (args) => {
      const at = path.dirname(args.path);
      const named = /defineComponent\(\s*["'`]([^"'`]+)/.exec(fs.readFileSync(args.path, "utf8"));
      const stub = {
        componentDefinitionPath: all.find((one) => one.folder === at).key,
        defaultName: named?.[1] ?? path.basename(at),
      };
      return { contents: `export default ${JSON.stringify(stub)};` };
    });
  },
});

/** Whether the directive prologue has "use node". */
function usesNode(source) {
  if (!source.includes("use node")) return false;
  let rest = source;
  for (;;) {
    rest = rest.replace(/^(?:\s|;|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|#![^\n]*\n)+/, "");
    const directive = /^(?:"([^"\n]*)"|'([^'\n]*)')\s*(?:;|\n|$)/.exec(rest);
    if (!directive) return false;
    if ((directive[1] ?? directive[2]) === "use node") return true;
    rest = rest.slice(directive[0].length);
  }
}

const shown = (file) => path.relative(process.cwd(), file);

function findEsbuild() {
  const from = createRequire(path.join(folder, "x.js"));
  let convex;
  try {
    convex = path.dirname(from.resolve("convex/package.json"));
  } catch {
    throw new Refused(
      `npm convex is not installed for ${folder}: run \`npm install convex\` in ${root}`,
    );
  }
  for (const base of [path.join(convex, "x.js"), path.join(folder, "x.js")])
    try {
      return createRequire(base)("esbuild");
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") throw error;
    }
  throw new Refused(`esbuild is not installed for ${folder}: run \`npm install\` in ${root}`);
}

const GENERATED = {
  api: `import { anyApi, componentsGeneric } from "convex/server";
    export const api = anyApi, internal = anyApi, components = componentsGeneric();`,
  server: `import { actionGeneric, httpActionGeneric, queryGeneric, mutationGeneric,
      internalActionGeneric, internalMutationGeneric, internalQueryGeneric } from "convex/server";
    export const query = queryGeneric, internalQuery = internalQueryGeneric,
      mutation = mutationGeneric, internalMutation = internalMutationGeneric,
      action = actionGeneric, internalAction = internalActionGeneric,
      httpAction = httpActionGeneric;`,
  dataModel: "export {};",
};

/** `_generated/{api,server}` that are not there hold nothing that can't be made up. */
const generatedPlugin = {
  name: "convex-async-generated",
  setup(build) {
    build.onResolve({ filter: /_generated\/(api|server|dataModel)(\.js|\.ts)?$/ }, (args) => {
      if (!args.path.startsWith(".")) return null;
      const target = path.resolve(args.resolveDir, args.path).replace(/\.(js|ts)$/, "");
      if ([".ts", ".js"].some((end) => fs.existsSync(target + end))) return null;
      if (path.basename(path.dirname(target)) !== "_generated") return null;
      return { path: path.basename(target), namespace: "convex-async-generated" };
    });
    build.onLoad({ filter: /.*/, namespace: "convex-async-generated" }, (args) => ({
      contents: GENERATED[args.path],
      resolveDir: folder,
    }));
  },
};

const wasmPlugin = {
  name: "convex-async-wasm",
  setup(build) {
    build.onResolve({ filter: /\.wasm$/ }, (args) =>
      args.namespace === "wasm-stub"
        ? { path: args.path, namespace: "wasm-binary" }
        : args.resolveDir
          ? { path: path.resolve(args.resolveDir, args.path), namespace: "wasm-stub" }
          : null,
    );
    build.onLoad({ filter: /.*/, namespace: "wasm-stub" }, (args) => ({
      contents: `import wasm from ${JSON.stringify(args.path)};\nexport default new WebAssembly.Module(wasm);`,
    }));
    build.onLoad({ filter: /.*/, namespace: "wasm-binary" }, (args) => ({
      contents: fs.readFileSync(args.path),
      loader: "binary",
    }));
  },
};

/** What the isolate has of its own. */
const isolatePlugin = {
  name: "convex-async-isolate",
  setup(build) {
    build.onResolve({ filter: /^server-only$/ }, () => ({ path: "empty", namespace: "convex-async" }));
    build.onResolve({ filter: /^(node:)?async_hooks$/ }, () => ({ path: "hooks", namespace: "convex-async" }));
    build.onLoad({ filter: /.*/, namespace: "convex-async" }, (args) => ({
      contents:
        args.path === "empty" ? "" : "export const AsyncLocalStorage = globalThis.AsyncLocalStorage;",
    }));
  },
};

const COMMON = {
  bundle: true,
  target: "esnext",
  jsx: "automatic",
  conditions: ["convex", "module"],
  treeShaking: true,
  minifySyntax: true,
  keepNames: true,
  define: { "process.env.NODE_ENV": '"production"' },
  sourcemap: "external",
  sourcesContent: false,
  write: false,
  metafile: true,
  logLevel: "silent",
  absWorkingDir: process.cwd(),
};

/** A source map whose sources are as the real bundler has them: `../convex/tasks.ts`. */
function withSources(text, output, entries) {
  const map = JSON.parse(text);
  map.sources = map.sources.map((source) => {
    const full = path.resolve(path.dirname(output), source);
    const relative = path.relative(root, full).split(path.sep).join("/");
    const depth = entries.find((entry) => entry.file === full)?.module.split("/").length ?? 2;
    return "../".repeat(depth) + relative;
  });
  return JSON.stringify(map);
}

// What of npm convex is evaluated once in a worker: it keeps nothing of a run.
const SHARED = ["convex/server", "convex/values"];

const sharedFiles = () => {
  const from = createRequire(path.join(folder, "x.js"));
  return new Set(SHARED.map((name) => path.dirname(from.resolve(name)).replace(/\bcjs\b/, "esm")));
};

/** Imports of it lead to the one evaluation; a package's own older convex stays its own. */
const sharedPlugin = () => {
  const ours = sharedFiles();
  const names = new Map();
  return {
    name: "convex-async-shared",
    setup(build) {
      build.onResolve({ filter: /^convex\/(server|values)$/ }, async (args) => {
        if (args.pluginData === "resolved") return null;
        const { path: name, resolveDir, importer, kind } = args;
        const found = await build.resolve(name, { resolveDir, importer, kind, pluginData: "resolved" });
        if (found.errors.length || !ours.has(path.dirname(found.path))) return null;
        if (!names.has(name)) names.set(name, Object.keys(await import(pathToFileURL(found.path).href)));
        return { path: name, namespace: "convex-async-shared" };
      });
      build.onLoad({ filter: /.*/, namespace: "convex-async-shared" }, (args) => ({
        contents: `export const { ${names.get(args.path).join(", ")} } = __shared[${JSON.stringify(args.path)}];`,
      }));
    },
  };
};

async function bundleShared(esbuild) {
  const output = path.join(root, "out", "_deps", "convex.js");
  const contents = `import * as server from "convex/server"; import * as values from "convex/values";
    __shared = { "convex/server": { ...server }, "convex/values": { ...values } };`;
  const result = await esbuild.build({
    ...COMMON,
    stdin: { contents, resolveDir: folder, sourcefile: "shared.js", loader: "js" },
    platform: "browser",
    format: "iife",
    outfile: output,
  });
  const [map, js] = [".map", ".js"].map((end) => result.outputFiles.find((f) => f.path.endsWith(end)).text);
  return { js, map: withSources(map, output, []) };
}

async function bundleIsolate(esbuild, entries, all) {
  const contents = `__modules = {${entries
    .map(({ name, file }) => `${JSON.stringify(name)}: () => import(${JSON.stringify(file)})`)
    .join(",\n")}};`;
  const output = path.join(root, "out", "bundle.js");
  const result = await esbuild.build({
    ...COMMON,
    stdin: { contents, resolveDir: folder, sourcefile: "entry.js", loader: "js" },
    platform: "browser",
    format: "iife",
    outfile: output,
    plugins: [sharedPlugin(), definitionPlugin(all), isolatePlugin, generatedPlugin, wasmPlugin],
  });
  const [map, js] = [".map", ".js"].map((end) => result.outputFiles.find((f) => f.path.endsWith(end)).text);
  return { js, map: withSources(map, output, entries), inputs: inputsOf(result) };
}

async function bundleNode(esbuild, entries) {
  const directory = path.join(scratch, createHash("sha256").update(String(process.hrtime.bigint())).digest("hex").slice(0, 12));
  const config = path.join(root, "convex.json");
  const external = fs.existsSync(config)
    ? (JSON.parse(fs.readFileSync(config, "utf8")).node?.externalPackages ?? [])
    : [];
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: entries.map(({ name, file }) => ({ in: file, out: outOf(name) })),
    platform: "node",
    format: "esm",
    splitting: true,
    outdir: directory,
    outbase: folder,
    chunkNames: "_deps/node/[hash]",
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    plugins: [externals(external), generatedPlugin, wasmPlugin],
  });
  const maps = {};
  for (const file of result.outputFiles) {
    if (file.path.endsWith(".map")) {
      const output = file.path.slice(0, -4);
      maps[pathToFileURL(output).href] = withSources(file.text, output, entries);
      continue;
    }
    fs.mkdirSync(path.dirname(file.path), { recursive: true });
    fs.writeFileSync(file.path, file.contents);
  }
  fs.writeFileSync(path.join(directory, "package.json"), '{"type":"module"}');
  const modules = path.join(root, "node_modules");
  if (fs.existsSync(modules)) fs.symlinkSync(modules, path.join(directory, "node_modules"), "junction");
  return {
    nodeRoot: `${pathToFileURL(directory).href}/`,
    nodeMaps: maps,
    nodeModules: Object.fromEntries(
      entries.map(({ name }) => [name, pathToFileURL(path.join(directory, `${outOf(name)}.js`)).href]),
    ),
    inputs: inputsOf(result),
  };
}

const outOf = (name) => name.replace("!", "/");

/** Packages that are not bundled; npm convex always is. */
const externals = (names) => ({
  name: "convex-async-externals",
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, (args) => {
      if (args.namespace !== "file" || path.isAbsolute(args.path)) return null;
      const name = args.path.split("/").slice(0, args.path.startsWith("@") ? 2 : 1).join("/");
      if (name === "convex" || args.path.startsWith("node:") || builtinModules.includes(name)) return null;
      return names.includes("*") || names.includes(name) ? { path: args.path, external: true } : null;
    });
  },
});

const inputsOf = (result) =>
  Object.keys(result.metafile.inputs)
    .filter((name) => !/^[\w-]+:|^<stdin>$|\(disabled\)/.test(name))
    .map((name) => path.resolve(name));

async function main() {
  const esbuild = findEsbuild();
  try {
    const all = await definitions(esbuild);
    const entries = all.flatMap(entryPoints);
    const isolate = entries.filter((entry) => !entry.isNode);
    const node = entries.filter((entry) => entry.isNode);
    const [shared, ours, theirs] = await Promise.all([
      bundleShared(esbuild),
      bundleIsolate(esbuild, isolate, all),
      node.length ? bundleNode(esbuild, node) : {},
    ]);
    return {
      js: ours.js,
      map: ours.map,
      shared,
      modules: isolate.map((entry) => entry.name),
      files: Object.fromEntries(entries.map(({ name, file }) => [name, shown(file)])),
      nodeRoot: theirs.nodeRoot,
      nodeMaps: theirs.nodeMaps,
      nodeModules: theirs.nodeModules,
      inputs: [...new Set([...ours.inputs, ...(theirs.inputs ?? [])])],
    };
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    for (const one of error.errors)
      if (one.text.startsWith("Top-level await"))
        one.text = "Top-level awaits in source files are unsupported";
    const text = esbuild.formatMessagesSync(error.errors, { kind: "error", color: false }).join("\n");
    const isNodeApi = error.errors.some((one) =>
      one.notes.some((note) => note.text.includes("Are you trying to bundle for node?")),
    );
    throw new Refused(
      text.trimEnd() +
        (isNodeApi
          ? '\n\nIt looks like you are using Node APIs from a file without the "use node" directive.\n' +
            "Split out actions using Node.js APIs like this into a new file only containing actions " +
            'that uses "use node" so these actions will run in a Node.js environment.\n' +
            "For more information see https://docs.convex.dev/functions/runtimes#nodejs-runtime"
          : ""),
    );
  } finally {
    await esbuild.stop?.();
  }
}

let answer;
try {
  answer = await main();
} catch (error) {
  answer = { refused: error instanceof Refused ? error.message : String(error.stack ?? error) };
}
process.stdout.write(JSON.stringify(answer), () => process.exit(0));
