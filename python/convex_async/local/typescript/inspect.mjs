// How the lines of `console.log` look: as npm object-inspect prints values, with an indent of two
// spaces, which is what Convex logs.

const MAX_STRING = 32768;
const MAX_DEPTH = 5;
const ESCAPES = { "\b": "b", "\t": "t", "\n": "n", "\f": "f", "\r": "r" };

const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);

function quoted(text) {
  if (text.length > MAX_STRING) {
    const more = text.length - MAX_STRING;
    return `${quoted(text.slice(0, MAX_STRING))}... ${more} more character${more > 1 ? "s" : ""}`;
  }
  const escaped = text
    .replace(/(['\\])/g, "\\$1")
    // eslint-disable-next-line no-control-regex
    .replace(/[\x00-\x1f]/g, (c) =>
      ESCAPES[c]
        ? `\\${ESCAPES[c]}`
        : `\\x${c.charCodeAt(0) < 16 ? "0" : ""}${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return `'${escaped}'`;
}

/** The text of any value. */
export function inspect(value, depth = 0, seen = []) {
  if (value === undefined) return "undefined";
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (depth >= MAX_DEPTH && typeof value === "object")
    return Array.isArray(value) ? "[Array]" : "[Object]";
  if (seen.includes(value)) return "[Circular]";

  const base = "  ".repeat(depth + 1);
  const show = (part) => inspect(part, depth + 1, [...seen, value]);
  const joined = (parts) =>
    parts.length === 0 ? "" : `\n${base}${parts.join(`,\n${base}`)}\n${"  ".repeat(depth)}`;
  const keysOf = () => {
    const parts = [];
    if (Array.isArray(value))
      for (let i = 0; i < value.length; i++) parts.push(i in value ? show(value[i]) : "");
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      if (Array.isArray(value) && String(Number(key)) === key && key < value.length) continue;
      parts.push(`${/[^\w$]/.test(key) ? inspect(key) : key}: ${show(value[key])}`);
    }
    for (const symbol of Object.getOwnPropertySymbols(value))
      if (Object.prototype.propertyIsEnumerable.call(value, symbol))
        parts.push(`[${inspect(symbol)}]: ${show(value[symbol])}`);
    return parts;
  };

  if (typeof value === "function") {
    const parts = keysOf();
    const name = value.name ? `: ${value.name}` : " (anonymous)";
    return `[Function${name}]${parts.length ? ` { ${parts.join(", ")} }` : ""}`;
  }
  if (typeof value === "symbol") return String(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const parts = keysOf();
    return parts.some((part) => part.includes("\n"))
      ? `[${joined(parts)}]`
      : `[ ${parts.join(", ")} ]`;
  }
  const tag = tagOf(value);
  if (value instanceof Error || tag === "Error") {
    const parts = keysOf();
    if ("cause" in value && !Object.prototype.propertyIsEnumerable.call(value, "cause"))
      return `{ [${String(value)}] ${[`[cause]: ${show(value.cause)}`, ...parts].join(", ")} }`;
    if (parts.length === 0) return `[${String(value)}]`;
    return `{ [${String(value)}] ${parts.join(", ")} }`;
  }
  if (typeof value.inspect === "function") return value.inspect(MAX_DEPTH - depth, {}, inspect);
  if (tag === "Map") {
    const parts = [];
    value.forEach((v, k) => parts.push(`${show(k)} => ${show(v)}`));
    return `Map (${value.size}) {${joined(parts)}}`;
  }
  if (tag === "Set") return `Set (${value.size}) {${joined([...value].map(show))}}`;
  if (tag === "WeakMap" || tag === "WeakSet" || tag === "WeakRef") return `${tag} { ? }`;
  if (tag === "Number" || tag === "String" || tag === "BigInt" || tag === "Symbol")
    return `Object(${show(value.valueOf())})`;
  if (tag === "Boolean") return `Object(${value.valueOf()})`;
  if (tag === "Date" || tag === "RegExp") return String(value);

  const parts = keysOf();
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === Object.prototype || value.constructor === Object;
  const protoTag = value instanceof Object ? "" : "null prototype";
  const stringTag =
    !isPlain && Symbol.toStringTag in value ? tag : protoTag ? "Object" : "";
  const constructor =
    isPlain || typeof value.constructor !== "function" || !value.constructor.name
      ? ""
      : `${value.constructor.name} `;
  const tags = [stringTag, protoTag].filter(Boolean).join(": ");
  const prefix = constructor + (tags ? `[${tags}] ` : "");
  return parts.length === 0 ? `${prefix}{}` : `${prefix}{${joined(parts)}}`;
}
