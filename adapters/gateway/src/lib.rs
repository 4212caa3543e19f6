//! What listens for dmgate: webhooks, web chat.
