// The leaderboard table: sorted, filtered, and ranked again by another budget or measure.
"use strict";
