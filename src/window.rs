//! The windows of a calendar.
