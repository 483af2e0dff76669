private import FoundationEssentials

/// The database's password and its place.
struct Password {
    let secret: Secret
    /// A description for people; never contains a part of the secret.
    let source: String
    /// A description of the place, including its path.
    let origin: String
}

/// The places of the database's password other than the secret, which `DatabaseCredentials` reads first.
///
/// The first existing place is used: the file that `DB_PASSWORD_FILE` names, `db-password` in `$CREDENTIALS_DIRECTORY`
/// (systemd), `db-password` in `/run/secrets` (containers), `DB_PASSWORD`. Files take precedence over the variable, so
/// that a leftover variable cannot undo a rotation. A file that exists and cannot be used is an error and never
/// skipped.
struct PasswordSource: Sendable {
    /// The file's name in a directory of secrets.
    static let fileName = "db-password"

    /// Longer than any password or token of a database (an RDS token has 1 to 2 KB); a larger file is not a password
    /// file.
    static let byteLimit = 16_384

    /// The value of `DB_PASSWORD_FILE`.
    let file: String?
    /// The value of `CREDENTIALS_DIRECTORY`.
    let credentialsDirectory: String?
    /// `/run/secrets`
    let secretsDirectory: String
    /// The value of `DB_PASSWORD`.
    let variable: Secret?

    /// The current password, nil if no place has one; reads files, so it may block.
    func current() throws(ConfigurationError) -> Secret? { try find()?.secret }

    func find() throws(ConfigurationError) -> Password? {
        if let file {
            return Password(
                secret: try Self.read(file, for: "DB_PASSWORD_FILE"), source: file, origin: "DB_PASSWORD_FILE (\(file))"
            )
        }
        if let directory = credentialsDirectory {
            let path = "\(directory)/\(Self.fileName)"
            if FileManager.default.fileExists(atPath: path) {
                return Password(
                    secret: try Self.read(path, for: "CREDENTIALS_DIRECTORY"), source: path,
                    origin: "$CREDENTIALS_DIRECTORY/\(Self.fileName) (\(path))")
            }
        }
        let path = "\(secretsDirectory)/\(Self.fileName)"
        if FileManager.default.fileExists(atPath: path) {
            return Password(secret: try Self.read(path, for: "DB_PASSWORD"), source: path, origin: path)
        }
        return variable.map { Password(secret: $0, source: "DB_PASSWORD", origin: "DB_PASSWORD") }
    }

    /// The file's text without one line end, LF or CR LF, which editors and `echo` append.
    private static func read(_ path: String, for variable: String) throws(ConfigurationError) -> Secret {
        func refuse(_ problem: String) -> ConfigurationError {
            ConfigurationError(variable: variable, problem: "\(path) \(problem)")
        }
        guard let data = FileManager.default.contents(atPath: path) else { throw refuse("cannot be read") }
        guard data.count <= byteLimit else { throw refuse("is larger than \(byteLimit) bytes") }
        var bytes = [UInt8](data)
        if bytes.last == 0x0A {
            bytes.removeLast()
            if bytes.last == 0x0D { bytes.removeLast() }
        }
        guard !bytes.isEmpty else { throw refuse("is empty") }
        // libpq takes C strings, and would use only the text before the zero byte.
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw refuse("is not UTF-8 text")
        }
        return Secret(text)
    }
}

/// Whether a regular file can be opened for reading.
func isReadableFile(_ path: String) -> Bool {
    var isDirectory = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && !isDirectory
        && FileManager.default.isReadableFile(atPath: path)
}
