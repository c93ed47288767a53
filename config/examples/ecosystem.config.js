// pmx start ecosystem.config.js
module.exports = {
  apps: [
    {
      name: 'web',
      script: './server.js',
      args: '--port 8080',
      instances: 2,
      env: { NODE_ENV: 'production' },
      kill_timeout: 5000,
      // Sealed at 50 MiB or at midnight, packed by zstd; two weeks are kept, but never above 2 GiB.
      rotate: { max_size: '50M', every: 'day', retain: 1000, max_age: '14d', max_total_size: '2G' },
    },
    {
      name: 'job',
      script: 'python3 -u job.py',
      autorestart: false,
      merge_logs: true,
      log_type: 'json',
    },
  ],
};
