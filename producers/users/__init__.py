"""The users service: who has signed up, each under an e-mail address of their own."""
