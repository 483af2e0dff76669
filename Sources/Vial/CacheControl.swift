package import HTTP1

// How long caches may keep answers that are not items (RFC 9111 §5.2.2).
extension ResponseFields {
    /// Of a state that is over at once, such as that of the database, and of every problem.
    package static let notStored: ResponseFields = {
        var fields = ResponseFields()
        fields.append(literal: "Cache-Control", "no-store")
        return fields
    }()

    /// Of a document that changes with a new version of the program only: for five minutes, and then after asking whether
    /// it is still current.
    package static let ofDocument: ResponseFields = {
        var fields = ResponseFields()
        fields.append(literal: "Cache-Control", "max-age=300")
        return fields
    }()
}
