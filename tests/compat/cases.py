"""What ./dev compat runs through PM2 and through pmx.

A line of a case is a shell command in the case's directory, with the program first in PATH as `pm2`
and its home in ~/.pm2 (HOME is the program's own). `@until <name> <status>` waits for an app's
status, `@ready <file>` for a file. After each line the list is compared in short, after the last one
all of jlist and the files of the home. What depends on the moment goes to /dev/null.
"""
from typing import NamedTuple


class Case(NamedTuple):
    name: str
    files: dict[str, str]
    lines: str
    first: bool = False  # Nothing is asked before or beside it: what a first command does is seen.


SLEEPER = "setInterval(() => {}, 1000)\n"
HELLO = "console.log('hello out'); console.error('hello err'); setInterval(() => {}, 1000)\n"
# Its variables, once the file is whole.
SHOW_ENV = """const fs = require('fs');
const all = Object.keys(process.env).sort().map(k => k + '=' + process.env[k] + '\\n');
fs.writeFileSync('env.tmp', all.join(''));
fs.renameSync('env.tmp', 'env.txt');
setInterval(() => {}, 1000);
"""
SHELL = "#!/bin/bash\necho started $*\nexec sleep 1000\n"
PRINTS = "#!/bin/bash\nfor i in 1 2 3; do echo out $i; echo err $i >&2; done\ntouch printed\nexec sleep 1000\n"

CASES = [
    Case("a first command", {}, """
        pm2 jlist
        pm2 kill
        pm2 kill
        pm2 --version
        pm2 kill >/dev/null
    """, first=True),
    Case("nothing runs yet", {}, """
        pm2 ping
        pm2 pid
        pm2 pid web
        pm2 id web
        pm2 jlist
        pm2 prettylist
        pm2 list
        pm2 ls --mini-list
        pm2 status
        pm2 l --sort name:desc
        pm2 stop web
        pm2 restart web
        pm2 reload web
        pm2 delete web
        pm2 delete all
        pm2 stop all
        pm2 restart all
        pm2 reload all
        pm2 stop 99
        pm2 describe web
        pm2 env 0
        pm2 scale web 2
        pm2 reset web
        pm2 reset all
        pm2 sendSignal SIGUSR2 web
        pm2 flush
        pm2 flush web
        pm2 reloadLogs
        pm2 save
        pm2 resurrect
        pm2 start missing.js
        pm2 start missing.config.js
        pm2 restart missing.config.js
        pm2 start
        pm2 nonsense
        pm2 list --no-such-option
        pm2 stop
        pm2 id
        pm2
        pm2 --help
        pm2 start --help
    """),
    Case("one app by its script", {"app.js": HELLO}, """
        pm2 start app.js
        @until app online
        pm2 start app.js
        pm2 start app.js -f
        pm2 delete 1
        pm2 id app
        pm2 pid app | wc -w
        pm2 pid | wc -w
        pm2 pid 0
        pm2 list
        pm2 list --mini-list
        pm2 describe app
        pm2 describe 0
        pm2 show nobody
        pm2 start app
        pm2 restart app
        pm2 restart 0
        pm2 restart app.js
        pm2 reload app
        pm2 stop app
        pm2 pid app
        pm2 stop app
        pm2 start app
        pm2 stop app; pm2 start app.js
        pm2 restart app --update-env
        pm2 restart app --name renamed
        pm2 restart app
        pm2 restart renamed --name app
        pm2 stop unknown
        pm2 restart 99
        pm2 reset app
        cat ~/.pm2/logs/app-out.log | sort -u
        cat ~/.pm2/logs/app-error.log | sort -u
        pm2 logs app --nostream --lines 1 --raw
        pm2 flush app
        wc -c < ~/.pm2/logs/app-out.log
        pm2 save
        test -s ~/.pm2/dump.pm2
        pm2 delete app
        pm2 resurrect
        pm2 delete all
        pm2 save
        pm2 save --force
        cat ~/.pm2/dump.pm2
        pm2 cleardump
        pm2 dump
        pm2 update >/dev/null
    """),
    Case("jlist of a Node app", {"app.js": HELLO}, """
        pm2 start app.js --name web -- --port 80
        @until web online
        pm2 jlist | head -c 2
        pm2 prettylist | head -2
    """),
    Case("jlist of an app with options", {"app.sh": SHELL}, """
        pm2 start app.sh --name web --namespace shop --max-memory-restart 200M --restart-delay 100 --max-restarts 5 -- a "b c"
        pm2 start app.sh --name two --kill-timeout 3000 --log log.txt --time --stop-exit-codes 0 --cron-restart "0 3 * * *"
        pm2 start app.sh --name three --no-treekill --no-autorestart --merge-logs --watch-delay 500 --ignore-watch "a b"
        pm2 start app.sh --name four --exp-backoff-restart-delay 50 -o out.txt -e err.txt --pid four.pid
        pm2 start app.sh --name five --no-autostart --log-date-format "YYYY" --wait-ready --listen-timeout 5
        pm2 describe web
        pm2 describe two
        pm2 restart two --cron-restart "0 4 * * *"
        pm2 restart two --cron-restart 0
        pm2 restart web --max-memory-restart 300M --max-restarts 7
    """),
    Case("watch", {"app.sh": SHELL}, """
        pm2 start app.sh --name web --watch --ignore-watch "a b"
        pm2 list
        pm2 describe web | grep watch
        pm2 restart web --watch
        pm2 stop web
        pm2 start web
    """),
    Case("instances and scale", {"app.sh": SHELL}, """
        pm2 start app.sh --name web -i 3
        pm2 id web
        pm2 list -m
        pm2 scale web 5
        pm2 scale web +2
        pm2 id web
        pm2 restart web
        pm2 stop web
        pm2 restart all
        pm2 scale web 7
        pm2 scale web -1
        pm2 scale web none
        pm2 scale nobody 2
        pm2 reset web
        pm2 save
        pm2 delete web
        pm2 resurrect
        pm2 delete all
        pm2 start app.sh --name web
        pm2 scale web 2
        pm2 scale web 1
    """),
    Case("cluster mode", {"server.js": "require('http').createServer((q, r) => r.end('x')).listen(0);\n"}, """
        pm2 start server.js -i 2
        @until server online
        pm2 list
        pm2 reload server
        pm2 reload all
        pm2 restart server
        pm2 start server.js -i max --name other >/dev/null
        pm2 start server.js -x --name fork
    """),
    Case("namespaces and patterns", {"app.sh": SHELL}, """
        pm2 start app.sh --name web-1 --namespace shop
        pm2 start app.sh --name web-2 --namespace shop
        pm2 start app.sh --name job --namespace batch
        pm2 stop shop
        pm2 restart shop
        pm2 stop /^web-/
        pm2 restart /web-[12]/
        pm2 reload /web/
        pm2 delete /nothing/
        pm2 start shop
        pm2 start all
        pm2 start 2
        pm2 stop web-1 job
        pm2 restart web-1 unknown job
        pm2 list --sort id:desc
        pm2 list --sort namespace
        pm2 list --sort nonsense
        pm2 id shop
        pm2 describe shop
        pm2 delete shop
        pm2 delete batch
    """),
    Case("the shell's variables", {"env.js": SHOW_ENV}, """
        FRUIT=apple COLOUR=red pm2 start env.js --name web
        @ready env.txt
        grep -E "^(FRUIT|COLOUR|NODE_APP_INSTANCE|name|namespace|pm_id|exec_mode|pm_exec_path|pm_cwd|PM2_)" env.txt
        rm env.txt; FRUIT=pear pm2 restart web
        @ready env.txt
        grep -E "^(FRUIT|COLOUR)=" env.txt
        rm env.txt; FRUIT=pear pm2 restart web --update-env
        @ready env.txt
        grep -E "^(FRUIT|COLOUR)=" env.txt
        pm2 env 0 | grep -E "FRUIT|COLOUR|^name|^status"
        pm2 env web >/dev/null
        pm2 env 9
        rm env.txt; pm2 stop web; FRUIT=plum pm2 start web
        @ready env.txt
        grep -E "^(FRUIT|COLOUR)=" env.txt
        rm env.txt; FRUIT=fig pm2 reload web --update-env
        @ready env.txt
        grep -E "^(FRUIT|COLOUR)=" env.txt
        rm env.txt; FRUIT=nut pm2 start env.js --name two --filter-env COLOUR
        @ready env.txt
        grep -E "^(FRUIT|COLOUR)=" env.txt
    """),
    Case("an ecosystem file in JavaScript", {
        "app.sh": SHELL, "env.js": SHOW_ENV,
        "ecosystem.config.js": """module.exports = { apps: [
            { name: 'web', script: './env.js', env: { FRUIT: 'apple' },
              env_production: { FRUIT: 'pear', NODE_ENV: 'production' } },
            { name: 'job', script: './app.sh', args: 'one two', instances: 2, namespace: 'batch' },
        ] };"""}, """
        pm2 stop ecosystem.config.js
        pm2 delete ecosystem.config.js
        pm2 start ecosystem.config.js
        @ready env.txt
        grep -E "^(FRUIT|NODE_ENV)=" env.txt
        rm env.txt; pm2 restart ecosystem.config.js --env production
        @ready env.txt
        grep -E "^(FRUIT|NODE_ENV)=" env.txt
        pm2 start ecosystem.config.js
        pm2 start ecosystem.config.js --only job
        pm2 start ecosystem.config.js --only "web,job"
        pm2 reload ecosystem.config.js --only web
        pm2 startOrRestart ecosystem.config.js
        pm2 startOrReload ecosystem.config.js
        pm2 stop ecosystem.config.js --only web
        pm2 start ecosystem.config.js --only web
        pm2 restart ecosystem.config.js --only none
        pm2 start ecosystem.config.js --env nowhere
        pm2 delete web
        pm2 stop ecosystem.config.js
        pm2 restart ecosystem.config.js
        pm2 delete job
        pm2 reload ecosystem.config.js
        pm2 delete job
        pm2 startOrReload ecosystem.config.js
        pm2 delete ecosystem.config.js
        pm2 restart ecosystem.config.js
        pm2 delete all
        pm2 start
    """),
    Case("an ecosystem file in JSON", {
        "app.sh": SHELL,
        "apps.json": """{ // PM2 reads it as JavaScript.
            apps: [{ "name": "web", "script": "app.sh", "args": ["a", "b c"], "max_restarts": 3, "min_uptime": "2s",
                     "env": { "A": 1, "B": { "c": true } } }] }""",
        "one.json": '{"name": "single", "script": "./app.sh", "cwd": "."}',
        "list.json": '[{"name": "first", "script": "app.sh"}, {"script": "app.sh", "name": "second", "autostart": false}]',
        "wrong.json": '{"apps": [{"name": "bad", "script": "app.sh", "max_restarts": "many"}]}',
        "unknown.json": '{"apps": [{"name": "odd", "script": "app.sh", "max_restart": 3}]}',
        "broken.json": '{"apps": [',
        "empty.json": '{"apps": [{"name": "nothing"}]}',
        "gone.json": '{"apps": [{"name": "gone", "script": "gone.js"}, {"name": "here", "script": "app.sh"}]}'}, """
        pm2 start apps.json
        pm2 start one.json
        pm2 start list.json
        pm2 start wrong.json
        pm2 start broken.json
        pm2 start empty.json
        pm2 start unknown.json
        cat apps.json | pm2 restart -
        cat one.json | pm2 start -
        cat one.json | pm2 stop -
        pm2 delete apps.json one.json
        pm2 start apps.json one.json
        pm2 start gone.json
    """),
    Case("an ecosystem file in YAML", {
        "app.sh": SHELL,
        "apps.yaml": "apps:\n  - script: ./app.sh\n    name: job\n    cron_restart: '0 * * * *'\n"
                     "  - name: web\n    script: ./app.sh\n    args: a b\n    instances: 2\n"
                     "    env:\n      A: 1\n      B: yes\n      C: 1.50\n",
        "alone.yml": "- script: ./app.sh\n  name: alone\n"}, """
        pm2 start apps.yaml
        pm2 start alone.yml
        pm2 restart apps.yaml --only web
        pm2 stop apps.yaml
        pm2 restart alone.yml
    """),
    Case("apps that end", {"ok.sh": "#!/bin/bash\nexit 0\n", "fail.sh": "#!/bin/bash\nexit 3\n"}, """
        pm2 start ok.sh --no-autorestart >/dev/null
        @until ok stopped
        pm2 list
        pm2 start fail.sh --max-restarts 3 >/dev/null
        @until fail errored
        pm2 list
        pm2 start fail.sh --name later --restart-delay 60000 >/dev/null
        @until later waiting restart
        pm2 list
        pm2 pid later
        pm2 stop later
        pm2 start fail.sh --name other --stop-exit-codes 3 >/dev/null
        @until other stopped
        pm2 start ok >/dev/null
        @until ok stopped
        pm2 restart ok >/dev/null
        @until ok stopped
        pm2 describe other
        pm2 restart fail >/dev/null
        @until fail errored
        pm2 reset fail
        pm2 delete fail other later ok
    """),
    Case("interpreters and commands", {
        "app.py": "import time\nprint('py', flush=True)\ntime.sleep(1000)\n", "app.js": SLEEPER, "plain.sh": SHELL}, """
        pm2 start app.py
        pm2 start "sleep 1000" --name line
        pm2 start sleep --name path -- 1000
        pm2 start /bin/sleep --interpreter none --name abs -- 1000
        pm2 start app.js --name node --node-args "--harmony --no-warnings" --interpreter node
        pm2 start plain.sh --interpreter bash --name sh --cwd /tmp
        pm2 start plain.sh --interpreter no-such-interpreter --name none
        pm2 start app.js --cwd /no/such/dir --name nodir
        pm2 start app.js --name production --env production
        pm2 restart production --env production
        pm2 start app.js --name big --max-memory-restart nonsense
        pm2 start app.js plain.sh
        pm2 start ./app.js --name dot
        pm2 start $PWD/app.js --name absolute
        pm2 start app --name noext
    """),
    Case("signals, lines, settings", {
        "app.sh": "#!/bin/bash\ntrap 'touch got-usr2' USR2\necho ready; touch ready\n"
                  "while read -r line; do echo line $line; touch got-line; done\n"}, """
        pm2 start app.sh --name web
        @ready ready
        pm2 sendSignal SIGUSR2 web
        pm2 sendSignal NOSUCH web
        pm2 sendSignal SIGUSR2 0
        pm2 send 0 hello
        @ready got-line
        @ready got-usr2
        cat ~/.pm2/logs/web-out.log
        pm2 send 7 hello
        pm2 trigger web nothing
        pm2 trigger nobody nothing
        pm2 reset all
        pm2 reset 0
        pm2 set pm2-logrotate:max_size 10M
        pm2 get pm2-logrotate:max_size
        pm2 conf
        pm2 unset pm2-logrotate:max_size
        pm2 link delete
    """),
    Case("ready and not ready", {
        "ready.js": "setTimeout(() => process.send('ready'), 300); setInterval(() => {}, 1000)",
        "never.js": SLEEPER}, """
        pm2 start ready.js --wait-ready
        pm2 restart ready
        pm2 reload ready
        pm2 start never.js --wait-ready --listen-timeout 500
    """),
    Case("logs", {"app.sh": PRINTS}, """
        pm2 start app.sh --name web
        @ready printed
        pm2 logs web --nostream
        pm2 logs web --nostream --out --lines 2
        pm2 logs web --nostream --err --lines 1
        pm2 logs web --nostream --raw
        pm2 logs 0 --nostream --lines 1
        pm2 logs nobody --nostream
        pm2 log web --nostream
        pm2 logs web --nostream --lines nonsense
        rm printed; pm2 start app.sh --name two -i 2
        @ready printed
        pm2 start app.sh --name none -o /dev/null -e /dev/null
        pm2 start app.sh --name named -o out.txt -e err.txt
        pm2 start app.sh --name all -l all.txt
        pm2 start app.sh --name json --log-type json
        pm2 start app.sh --name "odd name/with:signs"
        pm2 flush two
        pm2 flush
        cat ~/.pm2/logs/*
    """),
]
