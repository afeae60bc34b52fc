//! Filled by the tests of offer_answer.
