/**
 * Every word that the app says, in one place, so that a translation is one more object of this
 * shape. Short and warm; errors say what to do next.
 */
import { formatNumber } from "./format";
import { pluralRules } from "./locale";
import { isolate } from "./names";

const plural = pluralRules();
const ordinals = pluralRules({ type: "ordinal" });
const SUFFIX: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };

/** 1st, 22nd, 1,003rd. */
export const ordinal = (rank: number): string =>
  `${formatNumber(rank)}${SUFFIX[ordinals.select(rank)] ?? "th"}`;

const counted = (count: number, one: string, many: string): string =>
  `${formatNumber(count)} ${plural.select(count) === "one" ? one : many}`;

const players = (count: number) => counted(count, "player", "players");
const places = (count: number) => counted(count, "place", "places");

export const text = {
  appName: "Leaderboard",
  skipToContent: "Skip to content",
  boardPicker: "Board",
  seasonPicker: "Season",
  seasonNumber: (season: number) => `Season ${formatNumber(season)}`,
  currentSeason: (season: number) => `Season ${formatNumber(season)} · now`,

  openMode: "Open mode",
  openModeHint: "Everybody on this machine may do everything here. Meant for trying out.",

  connection: {
    label: "Connection",
    live: "Live",
    connecting: "Connecting",
    reconnecting: "Reconnecting",
    reconnectingIn: (seconds: number) => `Reconnecting in ${formatNumber(seconds)} s`,
    inSeconds: (seconds: number) => `${formatNumber(seconds)} s`,
    offline: "Offline",
    paused: "Updates paused",
    ended: "Disconnected",
    signIn: "Sign in to watch",
    notAllowed: "Not allowed to watch",
    since: (time: string) => `As of ${time}`,
    retryNow: "Reconnect now",
  },

  board: {
    title: "Live board",
    players,
    perMinute: (count: number) => `${formatNumber(count)} scores a minute`,
    filters: "Which rows",
    all: "All",
    top: (count: number) => `Top ${formatNumber(count)}`,
    aroundMe: "Around me",
    jump: "Go to rank",
    findMe: "Find me",
    table: "Ranking",
    rank: "Rank",
    player: "Player",
    score: "Score",
    games: "Games",
    winRate: "Win rate",
    reached: "Reached",
    you: "you",
    noRate: "no result known",
    empty: "No scores yet. Be the first.",
    emptyHint: "Pick a name, send a score, and this board is yours to defend.",
    emptyElsewhere: "No scores yet",
    emptyElsewhereHint: "Scores on this board come from the game. They show up here at once.",
    aroundNeedsYou: "Pick your player to see who is around you.",
    aroundNeedsScore: "With your first score you will see who is around you.",
    failed: "The board could not be loaded.",
    retry: "Try again",
    paused: "Live updates are paused for a moment. Ranks stay exact.",
    held: (count: number) => `Holding still · ${counted(count, "change", "changes")} waiting`,
    unknown: "There is no such board.",
    unknownHint: "The link may be old, or the board is gone.",
    climbed: (count: number) => `climbed ${places(count)}`,
    fell: (count: number) => `fell ${places(count)}`,
    loading: "Loading the board",
    outOfRange: (last: number) => `There are ranks 1 to ${formatNumber(last)}`,
  },

  me: {
    title: "Your rank",
    pick: "Who are you?",
    pickHint: "Find your player or join with a new name. This device will remember.",
    pickOnlyHint: "Find your player to see your rank here. This device will remember.",
    change: "Not you?",
    switch: "Switch player",
    standing: (rank: number, total: number) => `You're ${ordinal(rank)} of ${formatNumber(total)}`,
    of: (total: number) => `of ${formatNumber(total)}`,
    unranked: "Not ranked yet",
    unrankedHint: "Send a score and you're on the board.",
    unrankedElsewhere: "Your first score in the game puts you on the board.",
    best: "You lead the board",
    percentile: (value: string) => `Better than or level with ${value}% of players`,
    nextTier: (name: string, points: string) => `${points} more to ${name}`,
    nextTierNow: (name: string) => `${name} is one score away`,
    nextTierPlaces: (name: string, count: number) => `${places(count)} to ${name}`,
    topTier: "The highest tier is yours",
    tierProgress: (name: string) => `Progress to ${name}`,
    score: "Score",
    games: "Games",
    winRate: "Win rate",
    goTo: (rank: number) => `You're ${ordinal(rank)}`,
    showUp: "Show my row, further up",
    showDown: "Show my row, further down",
    open: "Open your rank and the score form",
    openRank: "Open your rank",
    close: "Close",
  },

  notices: {
    title: "Just now",
    none: "What happens on the board shows up here.",
    passedYou: (name: string) => `${isolate(name)} passed you`,
    severalPassedYou: (name: string, more: number) =>
      `${isolate(name)} and ${counted(more, "other", "others")} passed you`,
    youPassed: (name: string) => `You passed ${isolate(name)}`,
    youPassedSeveral: (name: string, more: number) =>
      `You passed ${isolate(name)} and ${counted(more, "other", "others")}`,
    newLeader: (name: string) => `${isolate(name)} takes the lead`,
    entered: (name: string, rank: number) => `${isolate(name)} enters at ${ordinal(rank)}`,
    rose: (name: string, count: number, rank: number) =>
      `${isolate(name)} up ${formatNumber(count)} to ${ordinal(rank)}`,
  },

  submit: {
    title: "Send a score",
    score: "Score",
    mode: "Game mode",
    duration: "Duration",
    result: "Result",
    won: "Won",
    lost: "Lost",
    noResult: "Not said",
    more: "More",
    metadata: "Metadata (JSON)",
    send: "Send score",
    sending: "Sending",
    again: "Try again",
    anonymous: "Pick your player first.",
    serversOnly: "Scores on this board come from the game itself.",
    lookingOn: "You're looking on. Scores can be sent by whoever joined with this name.",
    stored: "Stored. Your rank follows.",
    confirmed: (rank: number) => `Counted. You're ${ordinal(rank)}.`,
    climbed: (rank: number, count: number) => `Counted. Up ${places(count)} to ${ordinal(rank)}.`,
    replayed: "This score was counted already. Nothing was counted twice.",
    retrying: "No answer yet. Trying again; it will count once.",
    kept: "No answer yet. The score is kept here and sent when the service answers. It counts once.",
    waitingTitle: "Scores that wait to be sent",
    waits: "waits to be sent",
    tooOld: "waited for a day and may have counted",
    discard: "Discard",
    delivered: (score: number, rank: number | null) =>
      `Your score ${formatNumber(score)} was counted.${rank === null ? "" : ` You're ${ordinal(rank)}.`}`,
    refused: (score: number, why: string) =>
      `Your score ${formatNumber(score)} was refused. ${why}`,
    whole: "Enter a whole number.",
    least: (value: string) => `At least ${value}.`,
    most: (value: string) => `At most ${value}.`,
    modeShape: "1 to 32 letters, digits, - and _.",
    time: "Write it as minutes:seconds, like 1:33.",
    object: 'Enter a JSON object, like {"level": 7}.',
    metadataSize: (bytes: number) => `At most ${formatNumber(bytes)} bytes.`,
  },

  search: {
    label: "Find a player",
    placeholder: "Find a player",
    none: (name: string) => `Nobody here is called ${isolate(name)}`,
    failed: "Search is not answering. Try again in a moment.",
    results: (count: number) => counted(count, "player found", "players found"),
    rank: (rank: number) => `Rank ${formatNumber(rank)}`,
    join: (name: string) => `Join as ${isolate(name)}`,
    pickLabel: "Your name",
    pickPlaceholder: "Your name",
    taken: "That name is taken. If it's yours, pick it from the list.",
  },

  account: {
    yours: "On this device",
    continueAs: (name: string) => `Continue as ${isolate(name)}`,
    recover: "I have a recovery code",
    code: "Recovery code",
    badCode: "This is no recovery code. It looks like 123.AbC…",
    wrongCode: "No player has this code.",
    useCode: "Continue",
    signOut: "Sign out",
    signOutHint:
      "Keep this code. It is the only way back to this player once you have signed out here.",
    copy: "Copy code",
    copied: "Copied",
    stay: "Stay",
  },

  player: {
    title: (name: string) => `${name} · Leaderboard`,
    back: "Back to the board",
    joined: (date: string) => `Joined ${date}`,
    inactive: "This player is deactivated and not ranked.",
    unranked: "No score on this board yet.",
    isMe: "This is you",
    claim: "This is me",
    share: "Share",
    copied: "Link copied",
    copyFailed: "Copy the address from the browser's bar.",
    rank: "Rank",
    of: (total: number) => `of ${formatNumber(total)}`,
    score: "Score",
    tier: "Tier",
    percentile: "Percentile",
    games: "Games",
    winRate: "Win rate",
    showOnBoard: "Show on the board",
    history: "Over time",
    historyRank: "Rank",
    historyScore: "Score",
    historyRange: "Time span",
    ranges: { hour: "1 h", day: "1 d", week: "1 w", month: "1 m", all: "All" },
    historyEmpty: "Not enough yet for a graph. It grows with every score.",
    historySummary: (what: string, first: string, last: string) =>
      `${what} from ${first} to ${last}`,
    historyAbout: "Ranks beyond 1,000 are within half a percent.",
    chartTable: "The graph as a table",
    time: "Time",
    sessions: "Games",
    sessionsEmpty: "No games yet.",
    sessionsFailed: "The games could not be loaded.",
    more: "Show more games",
    mode: "Mode",
    duration: "Duration",
    result: "Result",
    won: "Won",
    lost: "Lost",
    unknown: "There is no such player.",
    unknownHint: "The link may be old, or a digit is missing.",
    failed: "This page could not be loaded.",
    neighbours: "Around this player",
  },

  notFound: {
    title: "Nothing here",
    hint: "This address leads nowhere. It may be old, or a letter is missing.",
    home: "Go to the board",
  },

  problems: {
    network: "The service does not answer. Check your connection and try again.",
    busy: "The service is busy. Try again in a moment.",
    unknown: "Something went wrong. Try again in a moment.",
    crash: "The page stumbled.",
    crashHint: "Your scores are safe. Reload to go on.",
    reload: "Reload",
  },

  announce: {
    rank: (rank: number, total: number) =>
      `Your rank is ${formatNumber(rank)} of ${formatNumber(total)}`,
  },
};
