// Stack traces as Convex shows them: frames of the user's own files, by source map.

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const DIGITS = new Map([...BASE64].map((character, digit) => [character, digit]));

/** Each generated line's segments `[column, source, line, column]`, all counted from 0. */
function decodeMappings(mappings) {
  let source = 0;
  let line = 0;
  let column = 0;
  return mappings.split(";").map((text) => {
    let generated = 0;
    const segments = [];
    for (const segment of text ? text.split(",") : []) {
      const fields = [];
      for (let at = 0; at < segment.length; ) {
        let value = 0;
        let shift = 0;
        let digit;
        do {
          digit = DIGITS.get(segment[at++]);
          value |= (digit & 31) << shift;
          shift += 5;
        } while (digit & 32);
        fields.push(value & 1 ? -(value >>> 1) : value >>> 1);
      }
      generated += fields[0];
      if (fields.length < 4) continue;
      source += fields[1];
      line += fields[2];
      column += fields[3];
      segments.push([generated, source, line, column]);
    }
    return segments;
  });
}

/** A source map, decoded when it is first needed. */
export class SourceMap {
  #json;
  #lines = null;
  constructor(json) {
    this.#json = json;
  }
  /** `{source, line, column}` counted from 1, or null; `line` and `column` are, too. */
  find(line, column) {
    if (typeof this.#json === "string") this.#json = JSON.parse(this.#json);
    this.#lines ??= decodeMappings(this.#json.mappings);
    let found = null;
    for (const segment of this.#lines[line - 1] ?? []) {
      if (segment[0] > column - 1) break;
      found = segment;
    }
    if (found === null) return null;
    return { source: this.#json.sources[found[1]], line: found[2] + 1, column: found[3] + 1 };
  }
}

const isOurs = (file) =>
  file.includes("convex/src/server/impl") || file.includes("udf-runtime/src");

/** The text of one frame; source: convex-backend crates/common/src/errors.rs, FrameData. */
function frameText(site, file, line, column) {
  let text = "    at ";
  if (site.isAsync()) text += "async ";
  if (site.isPromiseAll()) text += `Promise.all (index ${site.getPromiseIndex()})`;
  const name = site.getFunctionName();
  const type = site.getTypeName();
  const method = site.getMethodName();
  if (site.isConstructor()) text += `new ${name ?? "<anonymous>"}`;
  else if (name) {
    if (type && name.startsWith(type)) text += `${type}.`;
    text += name;
    if (method && name.endsWith(method)) text += ` [as ${method}]`;
  } else text += `${type ? `${type}.` : ""}${method ?? "<anonymous>"}`;
  return `${text} (${file}:${line}:${column})`;
}

/**
 * The frames of an error out of its call sites: those of mapped files, without Convex's own ones
 * at both ends.
 *
 * @param mapOf the SourceMap of a file name, or undefined
 */
export function framesOf(sites, mapOf) {
  const frames = [];
  for (const site of sites) {
    const file = site.getFileName();
    const map = file && mapOf(file);
    const found = map?.find(site.getLineNumber(), site.getColumnNumber());
    if (!found) continue;
    const ours = isOurs(found.source);
    if (ours && frames.length === 0) continue;
    frames.push({ ours, text: frameText(site, found.source, found.line, found.column) });
  }
  while (frames.length && frames.at(-1).ours) frames.pop();
  return frames.map((frame) => frame.text);
}
