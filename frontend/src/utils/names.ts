/** Names within sentences, set apart so that neither turns the other's direction of writing. */

const START = "\u2068";
const END = "\u2069";

/** The name between Unicode's isolating marks, for sentences that are plain text. */
export const isolate = (name: string): string => `${START}${name}${END}`;

/** The parts of a sentence, in order. */
export function splitNames(sentence: string): { said: string; isName: boolean }[] {
  return sentence
    .split(/(\u2068.*?\u2069)/su)
    .filter((part) => part !== "")
    .map((part) =>
      part.startsWith(START)
        ? { said: part.slice(1, -1), isName: true }
        : { said: part, isName: false },
    );
}
