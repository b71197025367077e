//! Parts that statements are made of. Each says what it proves, what it takes for granted, and what it costs.
