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

/** All declarations of the bundle; a module that can't be loaded is a problem with its text. */
export async function analyze(bundle, open, evaluate, nodeModules, describe) {
  const found = { functions: [], schema: null, crons: null, routes: null, auth: null, problems: [] };
  const modules = evaluate();
  const names = [...bundle.modules, ...Object.keys(nodeModules)].sort();
  for (const name of names) {
    try {
      const module = await open(name, modules);
      const exported = module.default;
      if (name === "schema") {
        if (typeof exported?.export !== "function")
          throw new Error("schema has no default export made by defineSchema");
        found.schema = JSON.parse(exported.export());
      } else if (name === "auth.config") {
        if (exported === undefined) throw new Error("auth config file is missing default export.");
        found.auth = JSON.parse(JSON.stringify(exported));
      } else if (name === "convex.config") continue;
      else {
        found.functions.push(...functionsOf(name, module));
        if (name === "crons") {
          if (!exported?.isCrons)
            throw new Error(
              "crons has no default export made by cronJobs(): `export default crons`",
            );
          found.crons = JSON.parse(exported.export());
        }
        if (name === "http") {
          if (!exported?.isRouter)
            throw new Error(
              "The default export of `convex/http.js` is not a Router made by httpRouter()",
            );
          found.routes = exported.getRoutes().map(([path, method]) => [path, method]);
        }
      }
    } catch (error) {
      found.problems.push({ module: name, ...describe(error) });
    }
  }
  return found;
}
