// Asking the server. Every answer that is not good becomes an Error with one line for people.

const GONE = "the server does not answer. Is `fesnet review` still running? Start it again and open the address that it prints";

// The page's cookie is bound to a path of its own; everything is asked for below it.
const BASE = new URL("..", import.meta.url).pathname;
export const below = (path) => BASE + path.replace(/^\//, "");

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(below(path), { credentials: "same-origin", ...options });
  } catch {
    throw new Error(GONE);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer) {
  const text = await answer.text();
  let line = text.trim();
  try {
    line = JSON.parse(text).error ?? line;
  } catch { /* one line of plain text */ }
  const error = new Error(line || `the server answered ${answer.status}`);
  error.status = answer.status;
  return error;
}

export const json = async (path, options) => (await ask(path, options)).json();

export const post = (path, body) =>
  json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body ?? {}) });

export const at = (key, rest = "") => `/api/videos/${encodeURIComponent(key)}${rest}`;

export async function numbers(path, Kind) {
  return new Kind(await (await ask(path)).arrayBuffer());
}

// A video: its state, the times of its frames, and for each face the scores on its steps (null: unknown).
export async function readVideo(name) {
  const answer = await json(at(name));
  const times = await numbers(at(name, "/frames"), Float64Array);
  const read = await Promise.all(answer.faces.map(async ({ face, steps }) => {
    const both = steps ? await numbers(at(name, `/scores/${face}`), Float32Array) : new Float32Array();
    const stepTimes = Float64Array.from({ length: steps }, (_, k) => k / answer.working_rate);
    const known = Array.from(both, (v) => (Number.isNaN(v) ? null : v));
    const [macro, micro] = [known.slice(0, steps), known.slice(steps)];
    const sum = macro.map((v, k) => (v === null || micro[k] === null ? null : Math.min(v + micro[k], 1)));
    return { face, times: stepTimes, macro, micro, sum };
  }));
  return { answer, times, read };
}

// Calls `does` for one value at a time; of those that come meanwhile only the newest counts. `failed` gets errors.
export function newestOnly(does, failed) {
  let [busy, newest] = [false, null];
  const take = async (value) => {
    newest = value;
    if (busy) return;
    busy = true;
    while (newest) {
      const now = newest;
      newest = null;
      await does(now).catch(failed);
    }
    busy = false;
  };
  return Object.assign(take, { forget: () => { newest = null; } });
}

// Save what the server answers as a file, under the name that it gives.
export async function download(path) {
  const answer = await ask(path, { method: "POST" });
  const disposition = answer.headers.get("content-disposition") ?? "";
  const coded = /filename\*=utf-8''([^;]+)/i.exec(disposition);
  const name = coded ? decodeURIComponent(coded[1]) : (/filename="([^"]+)"/.exec(disposition)?.[1] ?? "export");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  return name;
}

// Send a file; `report` gets the share that is sent.
export function upload(file, report) {
  return new Promise((resolve, reject) => {
    const sender = new XMLHttpRequest();
    sender.open("PUT", below(`/api/upload/${encodeURIComponent(file.name)}`));
    sender.responseType = "json";
    sender.upload.onprogress = (event) => report(event.loaded / Math.max(event.total, 1));
    sender.onload = () =>
      sender.status === 200 ? resolve(sender.response.key) : reject(new Error(sender.response?.error ?? `the server answered ${sender.status}`));
    sender.onerror = () => reject(new Error(`${file.name} was not taken: ${GONE}`));
    sender.send(file);
  });
}
