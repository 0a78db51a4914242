/** What `m` elements need to move, loaded after the first paint: nothing on it waits for this. */
import { domAnimation } from "motion/react";

export const features = domAnimation;
