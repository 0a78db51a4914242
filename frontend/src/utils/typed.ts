/** What people type as numbers: input methods and phone keyboards write digits of many scripts. */

/** Zeros of the scripts whose digits NFKC leaves as they are: Arabic, Persian, Indic, Thai. */
const ZEROS = [0x0660, 0x06f0, 0x0966, 0x09e6, 0x0e50];

/** The same text with ASCII digits and signs, without spaces around it. */
export function toAscii(typed: string): string {
  return typed
    .normalize("NFKC")
    .replace(/\p{Nd}/gu, (digit) => {
      const code = digit.codePointAt(0) ?? 0;
      const zero = ZEROS.find((each) => code >= each && code < each + 10);
      return zero === undefined ? digit : `${code - zero}`;
    })
    .replace(/[\u2212\u2013]/g, "-")
    .trim();
}

const RANK = /^#?(\d{1,3}(?:[,.'’\s]\d{3})+|\d+)(?:st|nd|rd|th)?\.?$/i;

/** A rank as people write it (`1,204`, `#12`, `3rd`); null for what is none, such as `-1` or `1e2`. */
export function readRank(typed: string): number | null {
  const digits = RANK.exec(toAscii(typed))?.[1];
  return digits === undefined ? null : Number(digits.replace(/\D/g, ""));
}
