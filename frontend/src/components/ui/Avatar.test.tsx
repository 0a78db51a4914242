import { render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Avatar } from "./Avatar";

/** The drawing, and its squares as lines of text. */
function draw(seed: number): { svg: string; figure: string[] } {
  const { container, unmount } = render(<Avatar seed={seed} />);
  const svg = container.innerHTML;
  const path = container.querySelector("path")?.getAttribute("d") ?? "";
  unmount();
  const figure = Array.from({ length: 5 }, (_, row) =>
    Array.from({ length: 5 }, (__, column) =>
      path.includes(`M${column + 1} ${row + 1}h1v1h-1z`) ? "#" : ".",
    ).join(""),
  );
  return { svg, figure };
}

test("a player keeps the face that they have had", () => {
  const { svg, figure } = draw(4_321);
  expect(svg).toContain('fill="oklch(0.8 0.11 13)"');
  expect(figure).toEqual(["..#..", "#####", ".#.#.", "#.#.#", ".###."]);
  expect(draw(4_321).svg).toBe(svg);
});

test("a face is its own mirror image, and never empty", () => {
  for (let seed = 0; seed < 300; seed += 1) {
    const { figure } = draw(seed);
    expect(figure.join("")).toContain("#");
    expect(figure.map((line) => [...line].reverse().join(""))).toEqual(figure);
  }
});

test("faces differ, for neighbours and for the greatest ids", () => {
  const first = Array.from({ length: 200 }, (_, at) => at);
  const seeds = [...first, ...first.map((at) => Number.MAX_SAFE_INTEGER - at)];
  expect(new Set(seeds.map((seed) => draw(seed).svg)).size).toBe(seeds.length);
});
