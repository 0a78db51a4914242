/** Names for what the service answers, all taken from the generated types. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type AuthState = Schemas["AuthState"];
export type Board = Schemas["Board"];
export type Entry = Schemas["Entry"];
export type EntryList = Schemas["EntryList"];
export type Limits = Schemas["Limits"];
export type RankAnswer = Schemas["RankAnswer"];
export type ScoreSubmission = Schemas["ScoreSubmission"];
export type SeasonList = Schemas["SeasonList"];
export type SubmissionResult = Schemas["SubmissionResult"];
export type TierTable = Schemas["TierTable"];
export type TierStanding = Schemas["TierStanding"];
export type FoundUser = Schemas["FoundUser"];
export type UserProfile = Schemas["UserProfile"];
export type Session = Schemas["Session"];
export type SessionList = Schemas["SessionList"];
export type GuestAnswer = Schemas["GuestAnswer"];
export type History = Schemas["History"];
export type HistoryRange = "hour" | "day" | "week" | "month" | "all";
