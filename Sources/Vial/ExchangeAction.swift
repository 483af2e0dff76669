extension Exchange {
    /// What the performer does next. Then it reports what came of it, where the comments say so.
    package enum Action: Equatable, Sendable {
        /// Nothing, until the next event.
        case wait
        /// Parses what is kept, then reads the socket while it may have something, and reports each step.
        case read
        /// The same although the loop has not reported anything, then reports `.looked`.
        case lookAgain
        /// Keeps what was received and reports `.turnCame` when the loop's other clients had their turn.
        case yield

        /// Appends `100 Continue` to the output and sends: `.sent`, `.sendBlocked` or `.failed`.
        case sendContinue
        /// Sends the output, which may be empty: `.sent`, `.sendBlocked` or `.failed`.
        case send
        /// Answers the request, by its handler or as its head decided: `.answered` or `.deferred`.
        case answer
        /// Begins what the deferred response waits for: `.begun`, or `.answered` when the response is there by then.
        case begin
        /// Answers with this refusal: `.answered`.
        case refuse(ServerEvent.Refusal, Admission)
        /// Answers in place of a handler whose response is overdue: `.answered`.
        case answerOverdue
        /// Appends the response to the output, which from then on counts as answered: `.appended`.
        case append(persists: Bool)
        /// The response belongs to no request any more.
        case discardAnswer

        /// Closes the write side, then reads and drops what comes: `.dropped`, `.ended` or `.failed`.
        case linger
        /// Reads and drops: `.dropped`, `.ended` or `.failed`.
        case drop
        /// The same after the loop's other clients had their turn: `.turnCame`.
        case dropLater
        /// Forgets what was received and not used.
        case forgetInput
        /// Asks the kernel whether the client's side has acknowledged everything: `.deliveryChecked`.
        case checkDelivery
        /// Closes the write side and waits.
        case finishWriting
        /// Closes the socket; a request in flight is abandoned.
        case close(abandonsRequest: Bool)
        /// The same of a connection whose request a handler still has: it keeps the socket open, so the write side is closed
        /// by itself.
        case cut
    }

    /// What the answer to a refused message says of its request.
    package enum Admission: Equatable, Sendable {
        /// It is in flight.
        case admitted
        /// Its head is complete, and its request is to be admitted.
        case headComplete
        /// There is no head: an empty request takes the place of what cannot be read.
        case unparsed
    }
}
