// What the usual definitions say of an interval's length: a hint for the coder, never a rule.

const MICRO_S = 0.5; // a micro-expression lasts half a second at most
const MACRO_S = 4; // and a macro-expression up to about four
const SLACK_S = 0.04; // an edge lies between two frames

export function hintOf({ kind, onset_s, offset_s }) {
  const length = offset_s - onset_s;
  const told = `${length.toFixed(2)} s`;
  if (kind === "micro" && length > MICRO_S + SLACK_S) return `${told} is long for a micro-expression (up to ${MICRO_S} s)`;
  if (kind === "macro" && length < MICRO_S - SLACK_S) return `${told} is short for a macro-expression (from ${MICRO_S} s on)`;
  if (kind === "macro" && length > MACRO_S + SLACK_S) return `${told} is long for a macro-expression (up to ${MACRO_S} s)`;
  return "";
}
