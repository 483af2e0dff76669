extension Exchange {
    /// What the performer does next. Where a comment names events, it reports one of them afterwards.
    package enum Action: Equatable, Sendable {
        /// Waits for the next event.
        case wait
        /// Parses the kept input, then reads the socket until it would block, and reports each step.
        case read
        /// As `.read`, even if the loop has not reported readiness; then reports `.looked`.
        case lookAgain
        /// Keeps the received bytes and reports `.turnCame` in the next loop iteration.
        case yield

        /// Appends `100 Continue` to the output and sends: `.sent`, `.sendBlocked` or `.failed`.
        case sendContinue
        /// Sends the output, which may be empty: `.sent`, `.sendBlocked` or `.failed`.
        case send
        /// Answers the request, through its handler or as its head decided: `.answered` or `.deferred`.
        case answer
        /// Starts the work behind a deferred response: `.begun`, or `.answered` if it finishes during the call.
        case begin
        /// Responds with this refusal: `.answered`.
        case refuse(ServerEvent.Refusal, Admission)
        /// Responds in place of a handler that is overdue: `.answered`.
        case answerOverdue
        /// Appends the response to the output; from then on the request counts as answered: `.appended`.
        case append(persists: Bool)
        /// Drops a response whose request has already been answered or abandoned.
        case discardAnswer

        /// Shuts down the write side, then reads and drops: `.dropped`, `.ended` or `.failed`.
        case linger
        /// Reads and drops: `.dropped`, `.ended` or `.failed`.
        case drop
        /// Drops in the next loop iteration: `.turnCame`.
        case dropLater
        /// Drops received but unused bytes.
        case forgetInput
        /// Asks the kernel whether the client has acknowledged everything: `.deliveryChecked`.
        case checkDelivery
        /// Shuts down the write side and waits.
        case finishWriting
        /// Closes the socket; a request in flight is abandoned.
        case close(abandonsRequest: Bool)
        /// As `.close`, while a handler still has the request. The handler keeps the socket open, so the write side is
        /// shut down separately.
        case cut
    }

    /// What is known of the request when its message is refused.
    package enum Admission: Equatable, Sendable {
        /// The request is in flight.
        case admitted
        /// The head is complete; the request is still to be admitted.
        case headComplete
        /// The head could not be parsed; an empty request takes its place.
        case unparsed
    }
}
