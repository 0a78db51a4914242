import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Api } from "./api";

const REPOSITORY = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = join(REPOSITORY, ".venv/bin/leaderboard");
const SEED = join(REPOSITORY, "backend/scripts/seed");
const WEB_DIR = join(REPOSITORY, "frontend/dist");

const START_MS = 60_000;
const STOP_MS = 30_000;

interface Options {
  /** Who is there from the start, with the ids 1 to `players`, each with a score. */
  players?: number;
  workers?: number;
  /** Whether it asks who one is; players may then come as guests, or not. */
  closed?: "with guests" | "without guests";
}

/** The whole service on a data folder of its own: PostgreSQL, Valkey, workers and the built app. */
export class Stack {
  /** Where it listens; the same after a restart. */
  url = "";
  readonly api: Api;
  readonly #folder: string;
  readonly #workers: number;
  readonly #closed: Options["closed"];
  #process: ChildProcess | undefined;

  private constructor(folder: string, workers: number, closed: Options["closed"], key?: string) {
    this.api = new Api(() => this.url, key);
    this.#folder = folder;
    this.#workers = workers;
    this.#closed = closed;
    // Playwright may end without a word to its fixtures.
    process.once("exit", () => this.#process?.kill("SIGTERM"));
  }

  static async start({ players = 0, workers = 2, closed }: Options = {}): Promise<Stack> {
    const stack = new Stack(await mkdtemp(join(tmpdir(), "lb-")), workers, closed);
    try {
      if (players > 0) await promisify(execFile)(SEED, [stack.#data, String(players)]);
      await stack.restart();
    } catch (error) {
      await stack.remove();
      throw error;
    }
    return stack;
  }

  /** A service that runs elsewhere, and a key of it. It can't be started or stopped from here. */
  static at(url: string, key: string): Stack {
    const stack = new Stack("", 0, undefined, key);
    stack.url = url;
    return stack;
  }

  /** Starts it again, on the same port and data. Ends what runs first. */
  async restart(): Promise<void> {
    await this.stop();
    const deadline = Date.now() + START_MS;
    // Servers that were killed with their parent hold the folder for a moment longer.
    while (!(await this.#tryStart(deadline))) await sleep(200);
    await this.#settle(deadline);
  }

  /** As an operator stops it: what was accepted is answered, then all processes end. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** As the out-of-memory killer does it. Workers and servers follow their parent. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops it for good and forgets its data. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** The command line, on this stack's data. What it said. */
  async command(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(COMMAND, [...words, "--data", this.#data], {
      cwd: this.#folder,
      env: environment(),
    });
    return stdout;
  }

  get #data(): string {
    return join(this.#folder, "d");
  }

  get #log(): string {
    return join(this.#folder, "log");
  }

  /** False if the folder is still in use. Throws if the service can't start. */
  async #tryStart(deadline: number): Promise<boolean> {
    const log = openSync(this.#log, "w");
    const port = new URL(this.url || "http://127.0.0.1:0").port || "0";
    const words = ["serve", "--port", port, "--data", this.#data];
    words.push("--workers", String(this.#workers), ...(this.#closed ? ["--auth"] : []));
    const guests = this.#closed === "with guests" ? { GUEST_SIGN_IN: "true" } : {};
    const started = spawn(COMMAND, words, {
      cwd: this.#folder,
      env: { ...environment(), ...guests },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    this.#process = started;
    while (Date.now() < deadline) {
      const said = await readFile(this.#log, "utf8");
      const url = /^Leaderboard is ready at (\S+)$/m.exec(said)?.[1];
      if (url !== undefined) {
        this.url = url;
        return true;
      }
      if (hasEnded(started)) {
        if (said.includes("in use by process") || said.includes("is taken")) return false;
        throw new Error(`the service ended at its start:\n${said}`);
      }
      await sleep(50);
    }
    throw new Error(`the service was not ready in time:\n${await readFile(this.#log, "utf8")}`);
  }

  /** Until all workers, which take turns in answering, say that all parts are well. */
  async #settle(deadline: number): Promise<void> {
    for (let well = 0; well < 4 * this.#workers; ) {
      if (Date.now() > deadline) throw new Error("the service did not become well in time");
      well = (await this.api.isWell()) ? well + 1 : 0;
      if (well === 0) await sleep(50);
    }
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const running = this.#process;
    if (running === undefined || hasEnded(running)) return;
    const ended = once(running, "exit");
    running.kill(signal);
    const late = setTimeout(() => running.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(late);
  }
}

function hasEnded(running: ChildProcess): boolean {
  return running.exitCode !== null || running.signalCode !== null;
}

/** Ours, without what would lead the service to other servers or another app. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.endsWith("_URL"));
  return { ...Object.fromEntries(own), WEB_DIR, LOG_LEVEL: "warning" };
}
