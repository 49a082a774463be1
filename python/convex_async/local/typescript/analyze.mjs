// What a folder's modules declare: functions, schema, crons, routes, auth.

const KINDS = [
  ["isQuery", "query"],
  ["isMutation", "mutation"],
  ["isAction", "action"],
];

/** The functions of a module; a mark of both visibilities makes it none. */
function functionsOf(name, module) {
  const found = [];
  for (const [key, fn] of Object.entries(module)) {
    if (fn === null || fn === undefined || (typeof fn !== "function" && typeof fn !== "object")) continue;
    const kind = KINDS.find(([mark]) => fn[mark])?.[1];
    if (kind === undefined || typeof fn.exportArgs !== "function") continue;
    if (fn.isPublic && fn.isInternal) continue;
    found.push({
      path: `${name}:${key}`,
      kind,
      visibility: fn.isPublic ? "public" : "internal",
      args: JSON.parse(fn.exportArgs()),
      returns: typeof fn.exportReturns === "function" ? JSON.parse(fn.exportReturns()) : null,
    });
  }
  return found;
}

function nothing() {
  return { functions: [], schema: null, crons: null, routes: null, auth: null, children: [] };
}

/** Add what a module declares. */
function read(found, name, module) {
  const exported = module.default;
  if (name === "schema") {
    if (typeof exported?.export !== "function")
      throw new Error("schema has no default export made by defineSchema");
    found.schema = JSON.parse(exported.export());
    return;
  }
  if (name === "auth.config") {
    if (exported === undefined) throw new Error("auth config file is missing default export.");
    found.auth = JSON.parse(JSON.stringify(exported));
    return;
  }
  if (name === "convex.config") {
    if (typeof exported?.export !== "function")
      throw new Error("convex.config has no default export made by defineApp or defineComponent");
    found.children = exported.export().childComponents.map(({ name, path }) => [name, path]);
    return;
  }
  found.functions.push(...functionsOf(name, module));
  if (name === "crons") {
    if (!exported?.isCrons)
      throw new Error("crons has no default export made by cronJobs(): `export default crons`");
    found.crons = JSON.parse(exported.export());
  }
  if (name === "http") {
    if (!exported?.isRouter)
      throw new Error("The default export of `convex/http.js` is not a Router made by httpRouter()");
    found.routes = exported.getRoutes().map(([path, method]) => [path, method]);
  }
}

/**
 * What each definition of the bundle declares, by its key, which is empty for the app's; a module
 * that can't be loaded is a problem with its text.
 */
export async function analyze(bundle, open, evaluate, nodeModules, describe) {
  const definitions = { "": nothing() };
  const problems = [];
  const modules = evaluate();
  for (const name of [...bundle.modules, ...Object.keys(nodeModules)].sort()) {
    const [, key, own] = /^(c\d+!)?(.*)$/.exec(name);
    try {
      read((definitions[key ?? ""] ??= nothing()), own, await open(name, modules));
    } catch (error) {
      problems.push({ module: name, ...describe(error) });
    }
  }
  return { definitions, problems };
}
