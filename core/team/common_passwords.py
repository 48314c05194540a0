"""Passwords that are tried first: the top of leaked lists, as whole words and without their digits and signs.
The shorter ones count too, because digits and signs at their ends do not make them better."""

_LISTED = """
password passwort passwords passwordpassword motdepasse contrasena senha wachtwoord parola password1234
123456789012 1234567890123 12345678901234 123456789abc 1234567890ab 0123456789012 012345678901
987654321098 1q2w3e4r5t6y 1qaz2wsx3edc qazwsxedcrfv 1q2w3e4r5t 1qazxsw23edc zaq12wsxcde3 q1w2e3r4t5y6
123qweasdzxc qwerty qwertyuiop qwertyuiopas qwertyuiopasdf qwertyqwerty qwertyuiopasdfghjkl asdfghjkl
asdfghjklzxc zxcvbnm qwertz qwertzuiop azerty azertyuiop asdfasdfasdf qweasdzxc qwerasdfzxcv poiuytrewq
mnbvcxz lkjhgfdsa abcdefghijkl abcdefghijklm abcdefghijklmnopqrstuvwxyz abcdefgh abcdef abcabcabcabc
abcdabcdabcd letmein letmeinletmein letmeinnow letmeinplease welcome welcometo welcomehome changeme
changemenow changemeplease pleasechangeme administrator admin adminadmin adminadminadmin adminpassword
root toor rootroot iloveyou iloveyouso iloveyouforever iloveyoubaby ilovemyself loveyou lovelove sunshine
princess princesa dragon monkey football footballfan baseball basketball superman batman spiderman master
masterkey shadow michael jennifer jordan harley ranger buster soccer hockey killer george charlie andrew
michelle jessica pepper daniel thomas trustno trustnoone trustme starwars starwarsfan pokemon minecraft
computer computers internet internetexplorer samsung google facebook whatsapp whatsappbusiness whatsappapi
waypost waypostadmin secret secretpassword topsecret mysecret mypassword yourpassword thepassword
newpassword oldpassword temppassword testpassword userpassword defaultpassword passwordreset resetpassword
password123password test testtest testtesttest tester testing testuser guest guestguest user username demo
demodemo demouser login loginlogin logmein access accessdenied hello hellohello helloworld hellokitty
goodmorning summer winter spring autumn summertime wintertime january february march april june july
august september october november december monday tuesday wednesday thursday friday saturday sunday
liverpool chelsea arsenal barcelona realmadrid manchester manchesterunited juventus
correcthorsebatterystaple whatever nothing freedom forever family friends blessed jesus jesuschrist christ
godisgood ihatepasswords idontknow idontcare iforgot forgotpassword nopassword nopasswords nothinghere
purple orange yellow banana cookie chocolate cheese butterfly unicorn flower rainbow diamond
"""

COMMON = frozenset(_LISTED.split())
