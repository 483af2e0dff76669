resource "aws_cloudwatch_log_group" "sessions" {
  #checkov:skip=CKV_AWS_338:the retention time is an input, a year by default
  count = var.sessions ? 1 : 0

  name              = local.session_group
  retention_in_days = var.days
  kms_key_id        = aws_kms_key.main[0].arn
}

# Session Manager reads its settings from the one document of this name in each region.
resource "aws_ssm_document" "sessions" {
  #checkov:skip=CKV_AWS_113:sessions are encrypted by TLS; every instance and person would need access to a separate key
  #checkov:skip=CKV_AWS_112:sessions are encrypted by TLS; every instance and person would need access to a separate key
  count = var.sessions ? 1 : 0

  name            = "SSM-SessionManagerRunShell"
  document_type   = "Session"
  document_format = "JSON"

  content = jsonencode({
    schemaVersion = "1.0"
    description   = "Records the input and output of each session"
    sessionType   = "Standard_Stream"
    inputs = {
      cloudWatchLogGroupName      = aws_cloudwatch_log_group.sessions[0].name
      cloudWatchEncryptionEnabled = true
      cloudWatchStreamingEnabled  = true
      idleSessionTimeout          = "20"
      maxSessionDuration          = "60"
      s3BucketName                = ""
      s3KeyPrefix                 = ""
      s3EncryptionEnabled         = true
      kmsKeyId                    = ""
      runAsEnabled                = false
    }
  })
}
